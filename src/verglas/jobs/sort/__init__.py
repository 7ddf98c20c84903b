"""Particle sorting."""
