"""Transforms of all frames inside the alignment band, as the kernels want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verglas.motion.band import Band
from verglas.motion.kernels import ring_power, shift_gradients, shifted_sum, weight_rings

Array = np.ndarray[Any, Any]


@dataclass
class SpectrumStack:
    """Half transforms of M images on the grid of `band`, real and imaginary parts apart."""

    band: Band
    real: Array  # (M, h, w) float32
    imaginary: Array  # (M, h, w) float32

    @classmethod
    def empty(cls, band: Band, n_images: int) -> SpectrumStack:
        shape = (n_images, *band.radii.shape)
        return cls(band, np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def __len__(self) -> int:
        return len(self.real)

    def add(self, index: int, cropped: Array) -> None:  # (h, w) complex
        """Add a transform, already cropped to the band, to image `index`."""
        self.real[index] += cropped.real
        self.imaginary[index] += cropped.imag

    def ring_powers(self) -> Array:  # (M, n_rings): sum over each ring
        band = self.band
        return np.stack(
            [
                ring_power(real, imaginary, band.rings, band.columns, band.n_rings)
                for real, imaginary in zip(self.real, self.imaginary)
            ]
        )

    def weighted(self, weights: Array, out: SpectrumStack) -> SpectrumStack:
        """Every image multiplied with its row of ring weights (M, n_rings), into `out`."""
        weight_rings(
            self.real, self.imaginary, self.band.rings, self.band.columns,
            np.ascontiguousarray(weights, np.float32), out.real, out.imaginary,
        )  # fmt: skip
        return out

    def shifted_sum(self, shifts_yx: Array) -> tuple[Array, Array]:  # (h, w) real, imaginary
        """Sum over the images after shifting them by (M, 2) pixels."""
        band = self.band
        sums = np.zeros((2, *band.radii.shape), np.float32)
        shifted_sum(
            self.real, self.imaginary, band.frequencies_y, band.frequencies_x, band.columns,
            shifts_yx, sums[0], sums[1],
        )  # fmt: skip
        return sums[0], sums[1]

    def shift_gradients(self, shifts_yx: Array, sums: tuple[Array, Array]) -> Array:  # (M, 2)
        """Derivative of the band's sum of |S|^2 by the shifts."""
        band = self.band
        gradients: Array = shift_gradients(
            self.real, self.imaginary, band.frequencies_y, band.frequencies_x, band.columns,
            shifts_yx, sums[0], sums[1],
        )  # fmt: skip
        return gradients
