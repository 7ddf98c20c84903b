"""Frames on the CPU: numpy arrays, scipy's FFT, compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import fft

from verglas.motion.band import Band
from verglas.motion.devices.frames import FrameOptions, FrameSource
from verglas.motion.devices.frames_cpu import CpuFrames
from verglas.motion.devices.interface import Backend
from verglas.motion.devices.stack_cpu import CpuStack
from verglas.motion.devices.sums import SumPlan
from verglas.motion.devices.sums_cpu import CpuSum
from verglas.motion.devices.warp_cpu import warp

Array = np.ndarray[Any, Any]


class CpuBackend(Backend[Array]):
    """See `interface.Backend`."""

    keeps_transforms = True

    def frames(self, source: FrameSource, frame_range: range, options: FrameOptions) -> CpuFrames:
        return CpuFrames(source, frame_range, options)

    def stack(self, band: Band, n_images: int) -> CpuStack:
        return CpuStack.empty(band, n_images)

    def frame_sum(self, plan: SumPlan) -> CpuSum:
        return CpuSum(plan)

    def transform(self, frame: Array) -> Array:
        transformed: Array = fft.rfft2(frame)
        return transformed

    def band_transform(self, frame: Array, band: Band) -> Array:
        return band.transform(frame)

    def crop(self, transform: Array, band: Band) -> Array:
        return band.crop(transform)

    def scaled(self, transform: Array, factor: float) -> Array:
        return transform * factor

    def image(self, transform: Array, shape_yx: Sequence[int]) -> Array:
        made: Array = fft.irfft2(transform, shape_yx)
        return made

    def warp(self, frame: Array, coefficients_yx: Array) -> Array:
        out = np.empty_like(frame)
        warp(frame, coefficients_yx, out)
        return out

    def to_numpy(self, array: Array) -> Array:
        return array
