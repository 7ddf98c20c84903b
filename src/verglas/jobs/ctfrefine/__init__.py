"""CTF refinement."""
