"""Frames on a device of torch (CUDA; the CPU for tests)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.motion.band import Band
from verglas.motion.devices.frames import FrameOptions, FrameSource
from verglas.motion.devices.frames_torch import TorchFrames
from verglas.motion.devices.interface import Backend
from verglas.motion.devices.stack_torch import TorchStack
from verglas.motion.devices.sums import SumPlan
from verglas.motion.devices.sums_torch import TorchSum
from verglas.motion.devices.warp_torch import warp

Array = np.ndarray[Any, Any]


class TorchBackend(Backend[Tensor]):
    """See `interface.Backend`. Transforms are made again rather than kept: that is quick here."""

    keeps_transforms = False

    def __init__(self, device: str) -> None:
        self.device = device

    def frames(self, source: FrameSource, frame_range: range, options: FrameOptions) -> TorchFrames:
        return TorchFrames(source, frame_range, options, self.device)

    def stack(self, band: Band, n_images: int) -> TorchStack:
        return TorchStack.empty(band, n_images, self.device)

    def frame_sum(self, plan: SumPlan) -> TorchSum:
        return TorchSum(plan, self.device)

    def transform(self, frame: Tensor) -> Tensor:
        return torch.fft.rfft2(frame)

    def band_transform(self, frame: Tensor, band: Band) -> Tensor:
        return self.crop(torch.fft.rfft2(frame), band)

    def crop(self, transform: Tensor, band: Band) -> Tensor:
        half, width = band.grid_yx[0] // 2, band.grid_yx[1] // 2 + 1
        return torch.cat([transform[:half, :width], transform[-half:, :width]])

    def scaled(self, transform: Tensor, factor: float) -> Tensor:
        return transform * factor

    def image(self, transform: Tensor, shape_yx: Sequence[int]) -> Tensor:
        return torch.fft.irfft2(transform, tuple(shape_yx))

    def warp(self, frame: Tensor, coefficients_yx: Array) -> Tensor:
        return warp(frame, coefficients_yx)

    def to_numpy(self, array: Tensor) -> Array:
        return array.cpu().numpy()
