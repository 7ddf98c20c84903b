"""Particle images as the likelihood sees them."""
