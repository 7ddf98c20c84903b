"""Mask creation."""
