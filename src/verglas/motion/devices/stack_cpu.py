"""Transforms of all frames inside the alignment band, as the kernels want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from verglas.motion.band import Band, Rows
from verglas.motion.devices.interface import Stack
from verglas.motion.devices.loops import ring_power, shift_gradients, shifted_sum, weight_rings
from verglas.motion.tiles import cut_windows

Array = np.ndarray[Any, Any]


@dataclass
class CpuStack(Stack[Array]):
    """Half transforms of M images on the grid of `band`, real and imaginary parts apart.

    Transforms are divided by the root of the number of pixels: the power of white noise is its variance.
    """

    band: Band
    real: Array  # (M, h, w) float32
    imaginary: Array  # (M, h, w) float32

    @classmethod
    def empty(cls, band: Band, n_images: int) -> CpuStack:
        shape = (n_images, *band.radii.shape)
        return cls(band, np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def __len__(self) -> int:
        return len(self.real)

    def add(self, index: int, cropped: Array, factor: float) -> None:  # (h, w) complex
        """Add `factor` times a transform, already cropped to the band, to image `index`."""
        self.real[index] += cropped.real * np.float32(factor)
        self.imaginary[index] += cropped.imag * np.float32(factor)

    def low(self, band: Band) -> Array:  # (M, h, w) complex64
        """The low frequencies as complex images on a smaller grid."""
        half, width = band.grid_yx[0] // 2, band.grid_yx[1] // 2 + 1
        rows = np.r_[0:half, -half:0]
        return self.real[:, rows, :width] + 1j * self.imaginary[:, rows, :width]

    def merged(self, sizes: list[int]) -> CpuStack:
        """Sums of consecutive images, as many as each size says."""
        starts = np.cumsum([0, *sizes[:-1]])
        return CpuStack(
            self.band, np.add.reduceat(self.real, starts), np.add.reduceat(self.imaginary, starts)
        )

    def mean_power(self, rows: Rows = "all") -> Array:  # (n_rings,)
        """Mean power per pixel of every ring, summed over the images."""
        band = self.band
        columns = band.columns_within(band.limit, rows)
        powers = [
            ring_power(real, imaginary, band.rings, columns, band.n_rings)
            for real, imaginary in zip(self.real, self.imaginary)
        ]
        mean: Array = np.sum(powers, axis=0) / np.maximum(band.counts(rows), 1)
        return mean

    def weight(self, weights: Array) -> None:
        """Multiply every image with its row of ring weights (M, n_rings), in place."""
        table = np.ascontiguousarray(weights, np.float32)
        weight_rings(self.real, self.imaginary, self.band.rings, self.band.columns, table)

    def shifted_sum(self, shifts_yx: Array, columns: Array | None = None) -> CpuStack:
        """Sum over the images after shifting them by (M, 2) pixels, as a stack of one."""
        band = self.band
        out = CpuStack.empty(band, 1)
        shifted_sum(
            self.real,
            self.imaginary,
            band.frequencies_y,
            band.frequencies_x,
            band.columns if columns is None else columns,
            shifts_yx,
            out.real[0],
            out.imaginary[0],
        )
        return out

    def shift_gradients(
        self, shifts_yx: Array, weighted_sum: CpuStack, columns: Array | None = None
    ) -> Array:  # (M, 2)
        """Derivative of the sum over the band of g |S|^2 by the shifts, given g S."""
        band = self.band
        gradients: Array = shift_gradients(
            self.real,
            self.imaginary,
            band.frequencies_y,
            band.frequencies_x,
            band.columns if columns is None else columns,
            shifts_yx,
            weighted_sum.real[0],
            weighted_sum.imaginary[0],
        )
        return gradients

    def shifted_images(self, shifts_yx: Array) -> Array:  # (M, *grid_yx) float32
        """Real-space images of the band after shifting each; noise keeps its variance."""
        band = self.band
        images = np.empty((len(self), *band.grid_yx), np.float32)
        norm = np.float32(np.sqrt(np.prod(band.grid_yx)))
        for index, (y, x) in enumerate(shifts_yx):
            along_y = np.exp(-2j * np.pi * band.frequencies_y * y).astype(np.complex64) * norm
            along_x = np.exp(-2j * np.pi * band.frequencies_x * x).astype(np.complex64)
            transform = self.real[index] + 1j * self.imaginary[index]
            transform *= along_y[:, None]
            transform *= along_x
            images[index] = fft.irfft2(transform, band.grid_yx, overwrite_x=True)
        return images

    def cut_tile(self, images: Array, band: Band, corner_yx: Array, offsets_yx: Array) -> CpuStack:
        """A stack of one tile (see `tiles.cut_windows`), in the tile's band."""
        windows = cut_windows(images, band.grid_yx, corner_yx, offsets_yx)
        transforms = fft.rfft2(windows, overwrite_x=True)
        norm = np.float32(1 / np.sqrt(np.prod(band.grid_yx)))
        return CpuStack(
            band, np.multiply(transforms.real, norm, order="C"), np.multiply(transforms.imag, norm, order="C")
        )
