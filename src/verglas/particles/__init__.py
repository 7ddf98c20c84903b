"""Particle images: cutting them from micrographs, normalising, rescaling, re-centring."""
