"""Bending an image by a smooth displacement, with a windowed sinc: two passes of eight taps."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

_TAPS = 8
_STEPS = 512


@cache
def _taps() -> NDArray[np.float32]:
    """Interpolation weights (steps + 1, taps) of a Kaiser-windowed sinc for fractions 0..1."""
    fraction = np.linspace(0, 1, _STEPS + 1)[:, None]
    place = np.arange(_TAPS)[None] - (_TAPS // 2 - 1) - fraction
    window = np.i0(6.0 * np.sqrt(np.clip(1 - (2 * place / _TAPS) ** 2, 0, 1))) / np.i0(6.0)
    weights = np.sinc(place) * window
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def bend(
    image: NDArray[np.float32],  # (H, W) padded field
    coefficients: NDArray[np.float64],  # (2, 6): of x then y; 1, x, x², y, y², xy, in pixels
    origin_yx: tuple[int, int],  # of the frame in the field
    frame_yx: tuple[int, int],
    moved_xy: tuple[float, float],  # how far the field as a whole has moved already
) -> NDArray[np.float32]:
    """The image with what lies at p moved to p - c(p); p measured where it lay before the whole moved."""
    if not coefficients.any():
        return image
    out = np.empty_like(image)
    between = np.empty_like(image)
    place = np.array([*origin_yx, *frame_yx, moved_xy[1], moved_xy[0]], np.float64)
    _along_rows(image, between, coefficients, _taps(), place)
    _along_columns(between, out, coefficients, _taps(), place)
    return out


@numba.njit(cache=True, inline="always")  # type: ignore[misc,unused-ignore]
def _value(c: NDArray[np.float64], x: float, y: float) -> float:
    return c[0] + (c[1] + c[2] * x + c[5] * y) * x + (c[3] + c[4] * y) * y


@numba.njit(cache=True, inline="always")  # type: ignore[misc,unused-ignore]
def _shift(c: NDArray[np.float64], axis: int, x: float, y: float, place: NDArray[np.float64]) -> float:
    """Displacement of what is seen at (x, y): p - c(p) = q solved by one step, p = q + c(q)."""
    across = x + _value(c[0], x, y) / place[3]
    along = y + _value(c[1], x, y) / place[2]
    return _value(c[axis], across, along)


@numba.njit(cache=True, fastmath=True, error_model="numpy")  # type: ignore[misc,unused-ignore]
def _along_rows(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    c: NDArray[np.float64],
    taps: NDArray[np.float32],
    place: NDArray[np.float64],
) -> None:
    height, width = source.shape
    for i in range(height):
        row = (i - place[0] - place[4]) / place[2] - 0.5
        for j in range(width):
            x = (j - place[1] - place[5]) / place[3] - 0.5
            y = row - _value(c[1], x, row) / place[2]  # the row where the second pass uses this
            position = j + _shift(c, 0, x, y, place)
            first = int(np.floor(position)) - 3
            weights = taps[int((position - np.floor(position)) * 512 + 0.5)]
            total = np.float32(0)
            if first >= 0 and first + 8 <= width:
                for t in range(8):
                    total += weights[t] * source[i, first + t]
            else:
                for t in range(8):
                    total += weights[t] * source[i, min(max(first + t, 0), width - 1)]
            target[i, j] = total


@numba.njit(cache=True, fastmath=True, error_model="numpy")  # type: ignore[misc,unused-ignore]
def _along_columns(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    c: NDArray[np.float64],
    taps: NDArray[np.float32],
    place: NDArray[np.float64],
) -> None:
    height, width = source.shape
    for i in range(height):
        y = (i - place[0] - place[4]) / place[2] - 0.5
        for j in range(width):
            x = (j - place[1] - place[5]) / place[3] - 0.5
            position = i + _shift(c, 1, x, y, place)
            first = int(np.floor(position)) - 3
            weights = taps[int((position - np.floor(position)) * 512 + 0.5)]
            total = np.float32(0)
            if first >= 0 and first + 8 <= height:
                for t in range(8):
                    total += weights[t] * source[first + t, j]
            else:
                for t in range(8):
                    total += weights[t] * source[min(max(first + t, 0), height - 1), j]
            target[i, j] = total
