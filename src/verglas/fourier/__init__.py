"""Fourier conventions in one place: transforms, crop and pad, shells, shifts, slices.

Forward transforms are divided by the number of pixels, inverse ones are not. Half transforms along x:
`(..., N, N//2+1)`, rows in FFT order with the Nyquist row at +N/2. The real-space centre is pixel N//2;
multiply a transform by `centre_signs` to move its phase origin there. Shifts are (y, x) in pixels, positive
moves content right and down.
"""

from verglas.fourier.backprojector import BackProjector
from verglas.fourier.crop import crop_spectrum, pad_spectrum, rescale, resize_spectrum
from verglas.fourier.filters import b_factor_weights, cutoff_shell, low_pass, low_pass_weights
from verglas.fourier.grid import (
    centre_signs,
    frequency_grid,
    half_plane,
    index_grid,
    row_indices,
    shell_counts,
    shell_indices,
    shell_sums,
    squared_radius,
    used_shells,
)
from verglas.fourier.lattice import Lattice
from verglas.fourier.pixels import SlicePixels, disc, half_disc
from verglas.fourier.projector import Projector
from verglas.fourier.shifts import shift_in_fourier, shift_phases, shift_whole_pixels
from verglas.fourier.transforms import forward, forward_frame, inverse, inverse_frame

__all__ = [
    "BackProjector",
    "Lattice",
    "Projector",
    "SlicePixels",
    "b_factor_weights",
    "centre_signs",
    "crop_spectrum",
    "cutoff_shell",
    "disc",
    "forward",
    "forward_frame",
    "frequency_grid",
    "half_disc",
    "half_plane",
    "index_grid",
    "inverse",
    "inverse_frame",
    "low_pass",
    "low_pass_weights",
    "pad_spectrum",
    "rescale",
    "resize_spectrum",
    "row_indices",
    "shell_counts",
    "shell_indices",
    "shell_sums",
    "shift_in_fourier",
    "shift_phases",
    "shift_whole_pixels",
    "squared_radius",
    "used_shells",
]
