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

Array = np.ndarray[Any, Any]
BLOCK = 64  # pixels of a row that are treated together where they move by the same whole pixels


def spline_loss(frequencies: Array) -> Array:
    """What the kernel leaves of the noise, along one axis; frequencies in cycles per pixel.

    Noise at one frequency comes from all that the sampling folds onto it.
    """
    folded = [np.sinc(frequencies + fold) ** 8 for fold in range(-3, 4)]
    loss: Array = np.sqrt(np.sum(folded, axis=0))
    return loss


@njit(fastmath=True, cache=True, inline="always")
def _weights(fraction: Any) -> Any:
    """Four cubic B-spline weights, of the pixels at -1, 0, 1, 2 for a place `fraction` after pixel 0."""
    sixth = np.float32(1.0 / 6.0)
    one = np.float32(1.0)
    rest = one - fraction
    first = rest * rest * rest * sixth
    last = fraction * fraction * fraction * sixth
    second = np.float32(2.0 / 3.0) - fraction * fraction * (one - np.float32(0.5) * fraction)
    third = one - first - second - last
    return first, second, third, last


@njit(fastmath=True, cache=True)
def _sample(frame: Array, y: Any, x: Any) -> Any:
    """One place anywhere; outside the frame its nearest pixels stand in."""
    height, width = frame.shape
    row, column = int(np.floor(y)), int(np.floor(x))
    weights_y, weights_x = _weights(np.float32(y - row)), _weights(np.float32(x - column))
    value = np.float32(0)
    for j in range(4):
        source = min(max(row - 1 + j, 0), height - 1)
        along = np.float32(0)
        for i in range(4):
            along += weights_x[i] * frame[source, min(max(column - 1 + i, 0), width - 1)]
        value += weights_y[j] * along
    return value


@njit(fastmath=True, cache=True, error_model="numpy")
def _sample_block(
    frame: Array, shifts_y: Array, shifts_x: Array, whole_y: int, whole_x: int,
    row: int, start: int, out: Array,
) -> None:  # fmt: skip
    """A block whose places all lie between the same whole shifts, away from the edges."""
    top = row + whole_y - 1
    n = out.shape[0]
    left = start + whole_x - 1
    r0, r1 = frame[top, left : left + n + 3], frame[top + 1, left : left + n + 3]
    r2, r3 = frame[top + 2, left : left + n + 3], frame[top + 3, left : left + n + 3]
    base_y, base_x = np.float32(whole_y), np.float32(whole_x)
    for i in range(n):
        a0, a1, a2, a3 = _weights(-shifts_x[i] - base_x)
        b0, b1, b2, b3 = _weights(-shifts_y[i] - base_y)
        out[i] = (
            b0 * (a0 * r0[i] + a1 * r0[i + 1] + a2 * r0[i + 2] + a3 * r0[i + 3])
            + b1 * (a0 * r1[i] + a1 * r1[i + 1] + a2 * r1[i + 2] + a3 * r1[i + 3])
            + b2 * (a0 * r2[i] + a1 * r2[i + 1] + a2 * r2[i + 2] + a3 * r2[i + 3])
            + b3 * (a0 * r3[i] + a1 * r3[i + 1] + a2 * r3[i + 2] + a3 * r3[i + 3])
        )


@njit(fastmath=True, cache=True)
def _row_shifts(coefficients: Array, y: float, per_x: float, shifts: Array) -> None:
    """The polynomial along one row."""
    constant = np.float32(coefficients[0] + y * (coefficients[3] + coefficients[4] * y))
    slope = np.float32(coefficients[1] + coefficients[5] * y)
    curve = np.float32(coefficients[2])
    for column in range(shifts.shape[0]):
        x = np.float32(column) * np.float32(per_x) - np.float32(0.5)
        shifts[column] = constant + x * (slope + curve * x)


@njit(fastmath=True, cache=True)
def _whole(shifts: Array) -> tuple[int, int]:
    """Smallest and largest whole part of the places that shifts lead to."""
    low, high = shifts[0], shifts[0]
    for value in shifts:
        low, high = min(low, value), max(high, value)
    return int(np.floor(-high)), int(np.floor(-low))


@njit(cache=True)
def warp(
    frame: Array,  # (h, w) float32
    coefficients_yx: Array,  # (2, 6): shift along y and x of 1, x, x^2, y, y^2, xy
    out: Array,  # (h, w) float32
) -> None:
    """out(y, x) = smoothed frame(y - shift_y, x - shift_x), still to be divided by `spline_loss`.

    Coordinates of the polynomial are fractions of the frame about its middle; shifts are pixels.
    """
    height, width = frame.shape
    shifts_y, shifts_x = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        y = row / height - 0.5
        _row_shifts(coefficients_yx[0], y, 1.0 / width, shifts_y)
        _row_shifts(coefficients_yx[1], y, 1.0 / width, shifts_x)
        for start in range(0, width, BLOCK):
            stop = min(start + BLOCK, width)
            low_y, high_y = _whole(shifts_y[start:stop])
            low_x, high_x = _whole(shifts_x[start:stop])
            inside = row + low_y >= 1 and row + low_y + 2 < height
            inside = inside and start + low_x >= 1 and stop + low_x + 2 < width
            if inside and low_y == high_y and low_x == high_x:
                _sample_block(
                    frame, shifts_y[start:stop], shifts_x[start:stop], low_y, low_x, row, start,
                    out[row, start:stop],
                )  # fmt: skip
            else:
                for column in range(start, stop):
                    out[row, column] = _sample(
                        frame, row - shifts_y[column], column - shifts_x[column]
                    )
