"""Loops over Fourier pixels of frame stacks, compiled for the machine they run on.

Real and imaginary parts lie in separate float32 arrays, which lets the compiler use whole vector
registers. `columns[row]` is the number of columns of a row that belong to the band; the rest is never
read. A shift (y, x), in pixels of the original frame, moves content down and right: the transform is
multiplied with exp(-2 pi i (fy y + fx x)), frequencies in cycles per original pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
TWO_PI = 2 * np.pi


@njit(fastmath=True, cache=True)
def _phases(frequencies: Array, shift: float, real: Array, imaginary: Array) -> None:
    for index in range(frequencies.shape[0]):
        angle = -TWO_PI * frequencies[index] * shift
        real[index] = np.cos(angle)
        imaginary[index] = np.sin(angle)


@njit(fastmath=True, cache=True)
def shifted_sum(
    real: Array,  # (M, h, w)
    imaginary: Array,  # (M, h, w)
    frequencies_y: Array,  # (h,)
    frequencies_x: Array,  # (w,)
    columns: Array,  # (h,)
    shifts_yx: Array,  # (M, 2)
    sum_real: Array,  # (h, w), overwritten
    sum_imaginary: Array,
) -> None:
    """Sum of all frames after shifting each."""
    n_frames, height, width = real.shape
    px_r = np.empty((n_frames, width), np.float32)
    px_i = np.empty((n_frames, width), np.float32)
    py_r = np.empty((n_frames, height), np.float32)
    py_i = np.empty((n_frames, height), np.float32)
    for m in range(n_frames):
        _phases(frequencies_x, shifts_yx[m, 1], px_r[m], px_i[m])
        _phases(frequencies_y, shifts_yx[m, 0], py_r[m], py_i[m])
    for y in range(height):
        row_r = sum_real[y]
        row_i = sum_imaginary[y]
        row_r[:] = 0
        row_i[:] = 0
        for m in range(n_frames):
            cy, sy = py_r[m, y], py_i[m, y]
            frame_r, frame_i = real[m, y], imaginary[m, y]
            phase_r, phase_i = px_r[m], px_i[m]
            for x in range(columns[y]):
                c = phase_r[x] * cy - phase_i[x] * sy
                s = phase_r[x] * sy + phase_i[x] * cy
                row_r[x] += frame_r[x] * c - frame_i[x] * s
                row_i[x] += frame_r[x] * s + frame_i[x] * c


@njit(fastmath=True, cache=True)
def shift_gradients(
    real: Array,  # (M, h, w)
    imaginary: Array,
    frequencies_y: Array,
    frequencies_x: Array,
    columns: Array,
    shifts_yx: Array,  # (M, 2)
    sum_real: Array,  # (h, w)
    sum_imaginary: Array,
) -> Array:
    """Derivative of sum |S|^2 over the band by every frame's shift, (M, 2) float64."""
    n_frames, height, width = real.shape
    gradients = np.zeros((n_frames, 2))
    px_r = np.empty(width, np.float32)
    px_i = np.empty(width, np.float32)
    py_r = np.empty(height, np.float32)
    py_i = np.empty(height, np.float32)
    for m in range(n_frames):
        _phases(frequencies_x, shifts_yx[m, 1], px_r, px_i)
        _phases(frequencies_y, shifts_yx[m, 0], py_r, py_i)
        total_y, total_x = 0.0, 0.0
        for y in range(height):
            cy, sy = py_r[y], py_i[y]
            frame_r, frame_i = real[m, y], imaginary[m, y]
            row_r, row_i = sum_real[y], sum_imaginary[y]
            along_y: Any = np.float32(0)
            along_x: Any = np.float32(0)
            for x in range(columns[y]):
                c = px_r[x] * cy - px_i[x] * sy
                s = px_r[x] * sy + px_i[x] * cy
                moved_r = frame_r[x] * c - frame_i[x] * s
                moved_i = frame_r[x] * s + frame_i[x] * c
                cross = row_r[x] * moved_i - row_i[x] * moved_r
                along_y += cross
                along_x += cross * frequencies_x[x]
            total_y += along_y * frequencies_y[y]
            total_x += along_x
        gradients[m, 0] = 2 * TWO_PI * total_y
        gradients[m, 1] = 2 * TWO_PI * total_x
    return gradients


@njit(fastmath=True, cache=True)
def ring_power(
    real: Array,  # (h, w)
    imaginary: Array,
    rings: Array,  # (h, w)
    columns: Array,
    n_rings: int,
) -> Array:
    """Sum of |F|^2 over the pixels of every ring, (n_rings,) float64."""
    power = np.zeros(n_rings)
    for y in range(real.shape[0]):
        for x in range(columns[y]):
            power[rings[y, x]] += real[y, x] ** 2 + imaginary[y, x] ** 2
    return power


@njit(fastmath=True, cache=True)
def weight_rings(
    real: Array,  # (M, h, w), changed in place
    imaginary: Array,
    rings: Array,
    columns: Array,
    weights: Array,  # (M, n_rings) float32
) -> None:
    """Multiply every image with a weight that depends on the ring."""
    for m in range(real.shape[0]):
        table = weights[m]
        for y in range(real.shape[1]):
            for x in range(columns[y]):
                weight = table[rings[y, x]]
                real[m, y, x] *= weight
                imaginary[m, y, x] *= weight
