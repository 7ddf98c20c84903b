"""Spectra on a device of torch (CUDA; the CPU for tests): the CPU's to the precision of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verglas.ctf.model import SpectrumModel
from verglas.ctf.periodogram import hann_window, tile_starts
from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import Microscope
from verglas.ctf.torch_model import TorchSpectrumModel

Array = np.ndarray[Any, Any]
_AS_THEY_ARE = ("float32", "float16", "float64", "int8", "uint8", "int16", "int32")


class TorchBackend:
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
        window = torch.from_numpy(hann_window(tile)).to(image.device)
        tops, lefts = (tile_starts(length, tile) for length in image.shape)
        shape = (tile, tile // 2 + 1)
        total = torch.zeros(shape, dtype=torch.float64, device=image.device)
        for top in tops:
            row = torch.stack([image[top : top + tile, left : left + tile] for left in lefts])
            row = (row - row.mean(dim=(1, 2), keepdim=True)) * window
            spectra = torch.fft.rfft2(row)
            total += (spectra.real.square() + spectra.imag.square()).sum(dim=0)
        mean: Array = (total / (len(tops) * len(lefts))).float().cpu().numpy()
        return mean

    def model(self, polar: PolarSpectrum, microscope: Microscope) -> TorchSpectrumModel:
        return TorchSpectrumModel(SpectrumModel(polar, microscope), self.device)
