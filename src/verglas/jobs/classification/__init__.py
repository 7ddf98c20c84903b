"""2D and 3D classification: the forms of `refine`."""
