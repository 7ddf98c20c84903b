"""Moving every pixel of a frame by its own shift (see `warp`), on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from verglas.motion.devices.warp import reach

Array = np.ndarray[Any, Any]


@njit(cache=True)
def _padded(frame: Array, margin: int) -> Array:
    """The frame with its border pixels repeated outwards."""
    height, width = frame.shape
    out = np.empty((height + 2 * margin, width + 2 * margin), frame.dtype)
    for y in range(out.shape[0]):
        source = frame[min(max(y - margin, 0), height - 1)]
        out[y, :margin] = source[0]
        out[y, margin : margin + width] = source
        out[y, margin + width :] = source[width - 1]
    return out


@njit(fastmath=True, cache=True, error_model="numpy")
def _sample_run(
    r0: Array,  # (n + 3,), like the next three: the rows around the places
    r1: Array,
    r2: Array,
    r3: Array,
    shifts_y: Array,  # (n,)
    shifts_x: Array,
    whole_y: int,
    whole_x: int,
    out: Array,  # (n,)
) -> None:
    """Neighbouring pixels of a row whose places all have the same whole shift.

    Views that start where the run starts keep every index from being negative; otherwise the compiler
    looks for indices that count from the end, pixel by pixel, which takes four times as long.
    """
    base_y, base_x = np.float32(whole_y), np.float32(whole_x)
    one, half = np.float32(1), np.float32(0.5)
    sixth, two_thirds = np.float32(1 / 6), np.float32(2 / 3)
    for x in range(out.shape[0]):
        u, v = -shifts_x[x] - base_x, -shifts_y[x] - base_y
        p, q = one - u, one - v
        a0, a3 = p * p * p * sixth, u * u * u * sixth
        a1 = two_thirds - u * u * (one - half * u)
        a2 = one - a0 - a1 - a3
        b0, b3 = q * q * q * sixth, v * v * v * sixth
        b1 = two_thirds - v * v * (one - half * v)
        b2 = one - b0 - b1 - b3
        out[x] = (
            b0 * (a0 * r0[x] + a1 * r0[x + 1] + a2 * r0[x + 2] + a3 * r0[x + 3])
            + b1 * (a0 * r1[x] + a1 * r1[x + 1] + a2 * r1[x + 2] + a3 * r1[x + 3])
            + b2 * (a0 * r2[x] + a1 * r2[x + 1] + a2 * r2[x + 2] + a3 * r2[x + 3])
            + b3 * (a0 * r3[x] + a1 * r3[x + 1] + a2 * r3[x + 2] + a3 * r3[x + 3])
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


@njit(cache=True, error_model="numpy")
def _whole_shifts(shifts_y: Array, shifts_x: Array, keys: Array) -> None:
    """One number per pixel that tells the whole shifts along y and x apart."""
    for x in range(keys.shape[0]):
        keys[x] = np.int32(np.floor(-shifts_y[x])) * np.int32(65536) + np.int32(np.floor(-shifts_x[x]))


@njit(cache=True)
def warp(
    frame: Array,  # (h, w) float32
    coefficients_yx: Array,  # (2, 6): shift along y and x of 1, x, x^2, y, y^2, xy
    out: Array,  # (h, w) float32
) -> None:
    """out(y, x) = smoothed frame(y - shift_y, x - shift_x), still to be divided by `spline_loss`.

    Outside the frame its nearest pixels stand in. Coordinates of the polynomial are fractions of the frame
    about its middle; shifts are pixels. Rows are treated in runs that move by the same whole pixels.
    """
    height, width = frame.shape
    margin = reach(coefficients_yx)
    padded = _padded(frame, margin)
    shifts_y, shifts_x = np.empty(width, np.float32), np.empty(width, np.float32)
    keys = np.empty(width, np.int32)
    for row in range(height):
        y = row / height - 0.5
        _row_shifts(coefficients_yx[0], y, 1.0 / width, shifts_y)
        _row_shifts(coefficients_yx[1], y, 1.0 / width, shifts_x)
        _whole_shifts(shifts_y, shifts_x, keys)
        start = 0
        while start < width:
            key = keys[start]
            stop = start + 1
            while stop < width and keys[stop] == key:
                stop += 1
            whole_y, whole_x = int(np.floor(-shifts_y[start])), int(np.floor(-shifts_x[start]))
            top, left = row + whole_y - 1 + margin, start + whole_x - 1 + margin
            around, run = slice(left, left + stop - start + 3), slice(start, stop)
            _sample_run(
                padded[top, around],
                padded[top + 1, around],
                padded[top + 2, around],
                padded[top + 3, around],
                shifts_y[run],
                shifts_x[run],
                whole_y,
                whole_x,
                out[row, run],
            )
            start = stop
