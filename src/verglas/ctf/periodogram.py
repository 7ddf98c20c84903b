"""The mean periodogram of overlapping tiles of an image, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

Array = np.ndarray[Any, Any]
OVERLAP = 0.5


def mean_periodogram(image: Array, tile: int) -> Array:  # (h, w) -> (tile, tile//2 + 1) float32
    """Average |FFT|² of half-overlapping Hann-windowed tiles, each less its mean."""
    window = hann_window(tile)
    tops, lefts = (tile_starts(length, tile) for length in image.shape)
    total = np.zeros((tile, tile // 2 + 1), np.float64)
    for top in tops:
        row = np.stack([image[top : top + tile, left : left + tile] for left in lefts])
        row = (row - row.mean(axis=(1, 2), keepdims=True)) * window
        spectra = scipy.fft.rfft2(row, overwrite_x=True)
        total += (spectra.real**2 + spectra.imag**2).sum(axis=0)
    mean: Array = (total / (len(tops) * len(lefts))).astype(np.float32)
    return mean


def hann_window(tile: int) -> Array:  # (tile, tile) float32
    """Product of two Hann windows."""
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(tile) + 0.5) / tile)).astype(np.float32)
    return np.outer(hann, hann)


def tile_starts(length: int, tile: int) -> list[int]:
    """First pixels of the tiles along one axis, from edge to edge."""
    count = max(1, round((length - tile) / (tile * (1 - OVERLAP))) + 1)
    return [round(start) for start in np.linspace(0, length - tile, count)]
