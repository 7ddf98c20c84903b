"""Cutting, normalising and selecting particle images (numerics)."""
