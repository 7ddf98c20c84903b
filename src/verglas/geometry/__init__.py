"""Rotations, point groups and grids on the sphere."""
