"""`verglas expand`: symmetry expansion of particle lists."""
