"""`verglas align_symmetry`."""
