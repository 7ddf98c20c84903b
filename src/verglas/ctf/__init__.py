"""CTF estimation from spectra (numerics)."""
