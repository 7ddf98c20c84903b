"""Initial models: first maps from the particles alone."""
