"""The STAR files of a refinement: particles in, iterations out, and read back."""
