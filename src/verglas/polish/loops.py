"""Loops over transforms of particles that need no array in between."""
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_power(values, total):
    """Add |values|² (P, h, w) complex64, summed over particles, to total (h, w) float64."""
    for p in range(values.shape[0]):
        for y in range(values.shape[1]):
            row, out = values[p, y], total[y]
            for x in range(row.shape[0]):
                re, im = row[x].real, row[x].imag
                out[x] += re * re + im * im


@njit(cache=True, nogil=True)
def add_shifted(values, along_y, along_x, weight, total):
    """Add values · along_y · along_x · weight: (P, h, w), (P, h), (P, w), (h, w) to total (P, h, w)."""
    for p in range(values.shape[0]):
        for y in range(values.shape[1]):
            row, out, scale, phase = values[p, y], total[p, y], weight[y], along_y[p, y]
            for x in range(row.shape[0]):
                out[x] += row[x] * (phase * along_x[p, x]) * scale[x]


@njit(cache=True, nogil=True)
def add_agreement(values, along_y, along_x, prediction, total):
    """Add Re(values · along_y · along_x · conj(prediction)) of F frames of one particle to total (F, h, w)."""
    for f in range(values.shape[0]):
        for y in range(values.shape[1]):
            row, out, phase, model = values[f, y], total[f, y], along_y[f, y], prediction[y]
            for x in range(row.shape[0]):
                moved = row[x] * (phase * along_x[f, x])
                out[x] += np.float64(moved.real * model[x].real + moved.imag * model[x].imag)
