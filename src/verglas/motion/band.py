"""The Fourier pixels an alignment works on: a cropped half transform and its rings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import fft

Array = np.ndarray[Any, Any]
LEAST_INDEX = 3  # gradients of illumination and ice thickness live below


@dataclass(frozen=True)
class Band:
    """Half transform of images of `shape_yx` kept up to `limit` cycles per pixel.

    Rows come in FFT order, columns from 0. Rings are one Fourier pixel of the longer side wide; pixels
    of the two axes, where edges and readout patterns of a row or column lie, and of the lowest
    frequencies belong to ring 0, which carries no weight.
    """

    shape_yx: tuple[int, int]
    limit: float  # cycles per pixel, at most 0.5

    @cached_property
    def grid_yx(self) -> tuple[int, int]:
        """Real-space size of the cropped transform (even numbers good for the FFT)."""
        return tuple(_even_fast_size(n, self.limit) for n in self.shape_yx)  # type: ignore[return-value]

    @cached_property
    def frequencies_y(self) -> Array:  # (h,) float32, cycles per pixel of the full image
        size = self.grid_yx[0]
        return (fft.fftfreq(size) * size / self.shape_yx[0]).astype(np.float32)

    @cached_property
    def frequencies_x(self) -> Array:  # (w,) float32
        size = self.grid_yx[1]
        return (np.arange(size // 2 + 1) / self.shape_yx[1]).astype(np.float32)

    @cached_property
    def radii(self) -> Array:  # (h, w) float32, cycles per pixel
        return np.hypot(self.frequencies_y[:, None], self.frequencies_x[None, :])

    @cached_property
    def ring_width(self) -> float:
        return 1.0 / max(self.shape_yx)

    @cached_property
    def n_rings(self) -> int:
        return int(self.limit / self.ring_width) + 1

    @cached_property
    def rings(self) -> Array:  # (h, w) int32; 0: no weight
        index = np.rint(self.radii / self.ring_width).astype(np.int32)
        index[(index >= self.n_rings) | (index < LEAST_INDEX)] = 0
        index[0, :] = 0
        index[:, 0] = 0
        edge = self.grid_yx[0] // 2
        index[edge, :] = 0  # the Nyquist row of the cropped grid stands for two
        return index

    @cached_property
    def columns(self) -> Array:  # (h,) int64: columns of each row inside the limit
        return (self.rings > 0).cumsum(axis=1).argmax(axis=1) + 1

    @cached_property
    def ring_frequencies(self) -> Array:  # (n_rings,) cycles per pixel
        return np.arange(self.n_rings) * self.ring_width

    @cached_property
    def ring_counts(self) -> Array:  # (n_rings,) float64, half-plane pixels
        counts = np.bincount(self.rings.ravel(), minlength=self.n_rings).astype(float)
        counts[0] = 0
        return counts

    def crop(self, transform: Array) -> Array:
        """Cut a full half transform (..., H, W//2+1) to this band's grid."""
        height, width = self.grid_yx
        half = height // 2
        rows = np.concatenate([transform[..., :half, :], transform[..., -half:, :]], axis=-2)
        return rows[..., : width // 2 + 1]


def _even_fast_size(size: int, limit: float) -> int:
    least = min(size, 2 * int(np.ceil(size * limit)))
    candidate = least + least % 2
    while candidate < size and fft.next_fast_len(candidate, real=True) != candidate:
        candidate += 2
    return min(candidate, size - size % 2)
