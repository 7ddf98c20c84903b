"""Frames on a device of torch (CUDA; the CPU for tests)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from verglas.motion.band import Band
from verglas.motion.torch_frames import TorchFrames
from verglas.motion.torch_stack import TorchStack
from verglas.motion.torch_sums import TorchFrameSum, torch_warp

Array = np.ndarray[Any, Any]


class TorchBackend:
    """See `backend.Backend`. Transforms are made again rather than kept: that is quick here."""

    keeps_transforms = False

    def __init__(self, device: str) -> None:
        self.device = device

    def frames(self, source: Any, frame_range: range, **options: Any) -> TorchFrames:
        return TorchFrames(source, frame_range, self.device, **options)

    def stack(self, band: Band, n_images: int) -> TorchStack:
        return TorchStack.empty(band, n_images, self.device)

    def band_transform(self, frame: torch.Tensor, band: Band) -> torch.Tensor:
        return self.crop(torch.fft.rfft2(frame), band)

    def transform(self, frame: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft2(frame)

    def crop(self, transform: torch.Tensor, band: Band) -> torch.Tensor:
        half, width = band.grid_yx[0] // 2, band.grid_yx[1] // 2 + 1
        return torch.cat([transform[:half, :width], transform[-half:, :width]])

    def image(self, transform: torch.Tensor, shape_yx: Sequence[int]) -> torch.Tensor:
        return torch.fft.irfft2(transform, tuple(shape_yx))

    def warp(self, frame: torch.Tensor, coefficients_yx: Array) -> torch.Tensor:
        return torch_warp(frame, coefficients_yx)

    def frame_sum(self, shape_yx: tuple[int, int], *settings: Any, **options: Any) -> TorchFrameSum:
        return TorchFrameSum(shape_yx, *settings, **options, device=self.device)

    def to_numpy(self, array: torch.Tensor) -> Array:
        return array.cpu().numpy()
