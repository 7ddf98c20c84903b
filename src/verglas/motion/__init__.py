"""Beam-induced motion correction of movies (numerics)."""
