"""Particle extraction."""
