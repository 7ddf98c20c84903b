"""Coordinates of particles, from whichever program wrote them."""
