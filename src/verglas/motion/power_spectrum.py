"""Summed amplitude spectra for CTF estimation (refinement.md §10.1.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

Array = np.ndarray[Any, Any]
TARGET_PIXEL_ANGST = 1.4


class SpectrumSum:
    """Adds |sum of a few aligned frames| over the groups of a movie, amplitudes per pixel.

    Groups of about 4 e/A^2 carry enough signal for smooth rings and so little drift between their
    frames that the rings reach far.
    """

    def __init__(self, shape_yx: tuple[int, int], frames_per_group: int) -> None:
        self.shape_yx = shape_yx
        self.frames_per_group = frames_per_group
        half = (shape_yx[0], shape_yx[1] // 2 + 1)
        self._group = np.zeros(half, np.complex64)
        self._in_group = 0
        self._amplitudes = np.zeros(half, np.float32)

    def add(self, moved: Array) -> None:  # (h, w//2+1) transform, not normalised
        """Add the next frame, already shifted; an incomplete last group is dropped."""
        self._group = self._group + moved
        self._in_group += 1
        if self._in_group == self.frames_per_group:
            self._amplitudes += np.abs(self._group)
            self._group = np.zeros_like(self._group)
            self._in_group = 0

    def spectrum(self, pixel_size_angst: float, size: int) -> tuple[Array, float]:
        """(size, size) float32 with the origin at size // 2, and the pixel it stands for in Angstrom.

        Every output pixel is the mean over the area it covers in frequency space. The spectrum goes to
        the Nyquist frequency of 1.4 A pixels, or of the movie's own if they are larger.
        """
        field = min(self.shape_yx) * pixel_size_angst
        pixel = max(pixel_size_angst, field / (2 * int(np.ceil(field / TARGET_PIXEL_ANGST / 2))))
        across = np.fft.fftfreq(self.shape_yx[0], pixel_size_angst)
        along = np.arange(self._amplitudes.shape[1]) / (self.shape_yx[1] * pixel_size_angst)
        order = np.argsort(across)
        rows = _area_mean(across[order], (np.arange(size) - size // 2) / (size * pixel))
        columns = _area_mean(along, np.arange(size // 2 + 1) / (size * pixel), mirror=True)
        scaled = self._amplitudes[order] / np.float32(np.prod(self.shape_yx))
        half = np.asarray((columns @ (rows @ scaled).T).T, np.float32)
        return _both_halves(half, size), pixel


def _area_mean(fine: Array, coarse: Array, mirror: bool = False) -> sparse.csr_matrix:
    """Matrix that averages samples at `fine` (ascending) over cells centred at `coarse`.

    With `mirror` the samples are those of the positive half of a symmetric function.
    """
    step, cell = fine[1] - fine[0], coarse[1] - coarse[0]
    low = np.maximum(fine[None, :] - step / 2, coarse[:, None] - cell / 2)
    high = np.minimum(fine[None, :] + step / 2, coarse[:, None] + cell / 2)
    overlap = np.maximum(high - low, 0)
    if mirror:  # the cell at 0 reaches into negative frequencies
        low = np.maximum(-fine[None, :] - step / 2, coarse[:, None] - cell / 2)
        high = np.minimum(-fine[None, :] + step / 2, coarse[:, None] + cell / 2)
        overlap[:, 1:] += np.maximum(high - low, 0)[:, 1:]
    total = np.maximum(overlap.sum(axis=1, keepdims=True), 1e-30)
    return sparse.csr_matrix((overlap / total).astype(np.float32))


def _both_halves(half: Array, size: int) -> Array:
    """Complete a spectrum of columns 0 .. size/2 by point symmetry; origin at size // 2."""
    out = np.empty((size, size), np.float32)
    centre = size // 2
    out[:, centre:] = half[:, : size - centre]
    mirrored = half[(-(np.arange(size) - centre) + centre) % size]
    out[:, :centre] = mirrored[:, centre:0:-1]
    return out
