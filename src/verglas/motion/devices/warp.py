"""Moving every pixel of a frame by its own, smoothly varying shift.

The frame is sampled with the cubic B-spline kernel (16 pixels around each place, none negative), and what
the kernel takes from high frequencies is given back in Fourier space once the frames are added up, such
that white noise stays white. The signal keeps 0.98 of its amplitude at 0.4 cycles per pixel, where bilinear
interpolation (refinement.md §10.1.3) leaves about half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy import fft

Array = np.ndarray[Any, Any]


def spline_loss(frequencies: Array) -> Array:
    """What the kernel leaves of the noise, along one axis; frequencies in cycles per pixel.

    Noise at one frequency comes from all that the sampling folds onto it.
    """
    folded = [np.sinc(frequencies + fold) ** 8 for fold in range(-3, 4)]
    loss: Array = np.sqrt(np.sum(folded, axis=0))
    return loss


def warp_loss(shape_yx: tuple[int, int]) -> Array:  # (h, w//2+1) float32
    """What `warp` leaves of the amplitudes of a half transform."""
    along_y = spline_loss(fft.fftfreq(shape_yx[0])).astype(np.float32)
    along_x = spline_loss(fft.rfftfreq(shape_yx[1])).astype(np.float32)
    return along_y[:, None] * along_x


@njit(cache=True)
def reach(coefficients_yx: Array) -> int:
    """Whole pixels beyond the frame that `warp` may look at."""
    # no term is larger than its coefficient times 1, 1/2 or 1/4
    largest = np.abs(coefficients_yx[:, 0]) + 0.5 * np.abs(coefficients_yx[:, 1:]).sum(axis=1)
    return int(largest.max()) + 4
