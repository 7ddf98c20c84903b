"""Simulated sessions and particles as files, with their truth."""
