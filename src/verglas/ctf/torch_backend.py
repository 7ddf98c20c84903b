"""Spectra on a device of torch (CUDA; the CPU for tests): the CPU's to the precision of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verglas.ctf.backend import Backend
from verglas.ctf.model import SpectrumModel
from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import Microscope
from verglas.ctf.torch_model import TorchSpectrumModel
from verglas.ctf.torch_periodogram import mean_periodogram

Array = np.ndarray[Any, Any]
_AS_THEY_ARE = ("float32", "float16", "float64", "int8", "uint8", "int16", "int32")


class TorchBackend(Backend[torch.Tensor]):
    """See `backend.Backend`."""

    def __init__(self, device: str) -> None:
        self.device = device

    def image(self, micrograph: Array) -> torch.Tensor:
        """Pixels travel in the type of the file where torch knows it."""
        kind = micrograph.dtype.newbyteorder("=")
        kind = kind if kind.name in _AS_THEY_ARE else np.dtype(np.float32)
        pixels = np.require(micrograph, kind, ["C", "W"])
        return torch.from_numpy(pixels).to(self.device).to(torch.float32)

    def faults(self, image: torch.Tensor) -> tuple[int, bool]:
        bad = (~torch.isfinite(image)).sum()
        low, high = torch.aminmax(image)
        return int(bad), bool(low == high)

    def mean_periodogram(self, image: torch.Tensor, tile: int) -> Array:
        return mean_periodogram(image, tile)

    def model(self, polar: PolarSpectrum, microscope: Microscope) -> TorchSpectrumModel:
        return TorchSpectrumModel(SpectrumModel(polar, microscope), self.device)
