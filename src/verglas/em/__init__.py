"""The expectation-maximisation engine for 2D and 3D (numerics)."""
