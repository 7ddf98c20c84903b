"""Refining the CTF of particles against a map: defocus, aberrations, magnification (refinement.md §10.11)."""
