"""Particle subtraction."""
