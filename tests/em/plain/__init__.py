"""The engine's mathematics straight from the formulae: float64, one particle at a time, no tricks.

2D classes and 3D maps, full iterations and mini-batches. Everything works on full transforms (no half
lattices, no pixel lists, no matrix products); Fourier arrays have their origin in the middle, axes z, y, x.
Section numbers are those of refinement.md. Slow and obvious on purpose: the engine must agree with it.
"""
