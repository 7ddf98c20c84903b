"""Symmetry of a map: its axes found, its group proposed."""
