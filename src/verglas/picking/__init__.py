"""Picking numerics: finding particles in micrographs.

`log_picker` needs nothing but a range of diameters; what it finds carries a figure of merit in standard
deviations of the background, so that one threshold means the same everywhere.
"""
