"""Local resolution."""
