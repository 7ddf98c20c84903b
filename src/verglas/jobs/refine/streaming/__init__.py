"""A map that follows a growing list of particles: what is on disc between updates, and one update."""
