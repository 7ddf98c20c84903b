"""Finding particles in micrographs (numerics)."""
