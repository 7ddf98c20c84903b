"""Simulated specimens, particles, micrographs and movies with known truth (numerics)."""
