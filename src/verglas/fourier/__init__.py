"""Fourier conventions in one place: transforms, crop and pad, shells, shifts, slices."""
