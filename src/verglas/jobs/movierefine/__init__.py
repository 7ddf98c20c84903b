"""Movie refinement of RELION 2: movie particles, running averages, offsets of every frame."""
