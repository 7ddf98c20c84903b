"""Particle polishing of RELION 2: straight tracks, frame weights, particles anew, from movie particles."""
