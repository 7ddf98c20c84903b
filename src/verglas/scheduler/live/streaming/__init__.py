"""What a session keeps up to date with all particles so far: 2D classes, and the map."""
