"""Where the frames are worked on: the CPU (numba, scipy) or a device of torch, one interface for both.

`A` stands for the arrays of a device (numpy arrays or tensors); what comes out at the end is numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from verglas.motion.band import Band, Rows
from verglas.motion.devices.frames import CorrectedFrames, FrameOptions, FrameSource
from verglas.motion.devices.sums import FrameSum, SumPlan

Array = np.ndarray[Any, Any]
A = TypeVar("A")


class Stack(Protocol[A]):
    """Half transforms of M images on the grid of `band`, (h, w) each.

    Transforms are divided by the root of the number of pixels: the power of white noise is its variance.
    """

    band: Band

    def __len__(self) -> int: ...
    def add(self, index: int, cropped: A, factor: float) -> None:
        """Add `factor` times a transform (h, w), already cropped to the band, to image `index`."""

    def low(self, band: Band) -> Array:
        """The low frequencies as complex64 images (M, h, w) on a smaller grid."""

    def merged(self, sizes: list[int]) -> Self:
        """Sums of consecutive images, as many as each size says."""

    def mean_power(self, rows: Rows = "all") -> Array:
        """Mean power per pixel of every ring (n_rings,), summed over the images."""

    def weight(self, weights: Array) -> None:
        """Multiply every image with its row of ring weights (M, n_rings), in place."""

    def shifted_sum(self, shifts_yx: Array, columns: Array | None = None) -> Self:
        """Sum over the images after shifting them by (M, 2) pixels, as a stack of one."""

    def shift_gradients(self, shifts_yx: Array, weighted_sum: Self, columns: Array | None = None) -> Array:
        """Derivative (M, 2) of the sum over the band of g |S|^2 by the shifts, given g S."""

    def shifted_images(self, shifts_yx: Array) -> A:
        """Real-space images (M, *grid_yx) of the band after shifting each; noise keeps its variance."""

    def cut_tile(self, images: A, band: Band, corner_yx: Array, offsets_yx: Array) -> Self:
        """A stack of one tile of `images`, which this stack made, in the tile's band.

        `corner_yx` (2,) is its first pixel, `offsets_yx` (M, 2) whole pixels that its content moved by.
        """


class Backend(Protocol[A]):
    """What a whole movie needs of the place where it is worked on. Frames are (y, x) float32."""

    keeps_transforms: bool  # whether transforms made once should be kept rather than made again

    def frames(
        self, source: FrameSource, frame_range: range, options: FrameOptions
    ) -> CorrectedFrames[A]: ...
    def stack(self, band: Band, n_images: int) -> Stack[A]: ...
    def frame_sum(self, plan: SumPlan) -> FrameSum[A]: ...

    def transform(self, frame: A) -> A:
        """Half transform (y, x//2 + 1) complex64, not normalised."""

    def band_transform(self, frame: A, band: Band) -> A:
        """The part of the half transform that lies in a band."""

    def crop(self, transform: A, band: Band) -> A:
        """The part of a half transform that lies in a band."""

    def scaled(self, transform: A, factor: float) -> A: ...
    def image(self, transform: A, shape_yx: Sequence[int]) -> A:
        """Inverse of `transform`."""

    def warp(self, frame: A, coefficients_yx: Array) -> A:
        """The frame with every pixel moved (see `warp`)."""

    def to_numpy(self, array: A) -> Array: ...


def backend_for(device: str) -> Backend[Any]:
    """The backend of a device: "cpu" needs no torch; "cuda:0", "torch-cpu" (for tests) do."""
    if device == "cpu":
        from verglas.motion.devices.on_cpu import CpuBackend

        return CpuBackend()
    from verglas.motion.devices.on_torch import TorchBackend

    return TorchBackend("cpu" if device == "torch-cpu" else device)
