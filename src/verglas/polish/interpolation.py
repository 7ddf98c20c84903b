"""Sums of table values at places between their points, with slopes: cubic convolution, one loop."""
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _weights(fraction, values, slopes):
    """Catmull-Rom weights of four points and their derivatives."""
    t = fraction
    values[0] = ((-0.5 * t + 1.0) * t - 0.5) * t
    values[1] = (1.5 * t - 2.5) * t * t + 1.0
    values[2] = ((-1.5 * t + 2.0) * t + 0.5) * t
    values[3] = (0.5 * t - 0.5) * t * t
    slopes[0] = (-1.5 * t + 2.0) * t - 0.5
    slopes[1] = (4.5 * t - 5.0) * t
    slopes[2] = (-4.5 * t + 4.0) * t + 0.5
    slopes[3] = (1.5 * t - 1.0) * t


@njit(cache=True, nogil=True)
def sum_at(tables, places, slopes):
    """Sum of tables (P, F, n, n) at places (P, F, 2) in steps from their middle; slopes (P, F, 2) filled.

    Beyond the last but one point a table goes on as it is there, with no slope.
    """
    particles, frames, n, _ = tables.shape
    low, high = 1.0, n - 2.0
    wy, wx = np.empty(4), np.empty(4)
    sy, sx = np.empty(4), np.empty(4)
    total = 0.0
    for p in range(particles):
        for f in range(frames):
            y = places[p, f, 0] + n // 2
            x = places[p, f, 1] + n // 2
            inside_y, inside_x = low <= y <= high, low <= x <= high
            y, x = min(max(y, low), high), min(max(x, low), high)
            j, i = min(int(y), n - 3), min(int(x), n - 3)
            _weights(y - j, wy, sy)
            _weights(x - i, wx, sx)
            value = 0.0
            along_y = 0.0
            along_x = 0.0
            for a in range(4):
                row = 0.0
                slope = 0.0
                for b in range(4):
                    point = np.float64(tables[p, f, j - 1 + a, i - 1 + b])
                    row += wx[b] * point
                    slope += sx[b] * point
                value += wy[a] * row
                along_y += sy[a] * row
                along_x += wy[a] * slope
            total += value
            slopes[p, f, 0] = along_y if inside_y else 0.0
            slopes[p, f, 1] = along_x if inside_x else 0.0
    return total
