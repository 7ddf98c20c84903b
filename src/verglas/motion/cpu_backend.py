"""Frames on the CPU: numpy arrays, scipy's FFT, compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import fft

from verglas.motion.band import Band
from verglas.motion.frames import CorrectedFrames
from verglas.motion.stack import SpectrumStack
from verglas.motion.sums import FrameSum
from verglas.motion.warp import warp

Array = np.ndarray[Any, Any]


class CpuBackend:
    """See `backend.Backend`."""

    keeps_transforms = True

    def frames(self, source: Any, frame_range: range, **options: Any) -> CorrectedFrames:
        return CorrectedFrames(source, frame_range, **options)

    def stack(self, band: Band, n_images: int) -> SpectrumStack:
        return SpectrumStack.empty(band, n_images)

    def band_transform(self, frame: Array, band: Band) -> Array:
        return band.transform(frame)

    def transform(self, frame: Array) -> Array:
        transformed: Array = fft.rfft2(frame)
        return transformed

    def crop(self, transform: Array, band: Band) -> Array:
        return band.crop(transform)

    def image(self, transform: Array, shape_yx: Sequence[int]) -> Array:
        made: Array = fft.irfft2(transform, shape_yx)
        return made

    def warp(self, frame: Array, coefficients_yx: Array) -> Array:
        out = np.empty_like(frame)
        warp(frame, coefficients_yx, out)
        return out

    def frame_sum(self, shape_yx: tuple[int, int], *settings: Any, **options: Any) -> FrameSum:
        return FrameSum(shape_yx, *settings, **options)

    def to_numpy(self, array: Array) -> Array:
        return array
