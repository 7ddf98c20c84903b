"""CTF estimation."""
