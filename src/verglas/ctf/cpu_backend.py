"""Spectra and scores on the CPU: numpy arrays, scipy's FFT."""

from __future__ import annotations

from typing import Any

import numpy as np

from verglas.ctf.backend import Backend
from verglas.ctf.model import SpectrumModel
from verglas.ctf.periodogram import mean_periodogram
from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import Microscope

Array = np.ndarray[Any, Any]


class CpuBackend(Backend[Array]):
    """See `backend.Backend`."""

    def image(self, micrograph: Array) -> Array:
        return np.asarray(micrograph, np.float32)

    def faults(self, image: Array) -> tuple[int, bool]:
        return int((~np.isfinite(image)).sum()), bool(image.min() == image.max())

    def mean_periodogram(self, image: Array, tile: int) -> Array:
        return mean_periodogram(image, tile)

    def model(self, polar: PolarSpectrum, microscope: Microscope) -> SpectrumModel:
        return SpectrumModel(polar, microscope)
