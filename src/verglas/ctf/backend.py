"""Where spectra are made and trials are scored: the CPU (numpy, scipy) or a device of torch.

What takes long goes through here: the periodogram of the micrograph and the scores of trial CTFs, with
background and envelope solved for each. Dealing a finished spectrum to rings and what is read off the fit
takes milliseconds on half a megabyte and stays on the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from verglas.ctf.polar import PolarSpectrum
    from verglas.ctf.settings import Microscope

Array = np.ndarray[Any, Any]
A = TypeVar("A")  # images of a device: numpy arrays or tensors


class TrialModel(Protocol):
    """See `model.SpectrumModel`."""

    def explained_many(self, trials: Array) -> Array:
        """Share (n,) of the variance that each trial explains; rows (n, 4) of `CtfTrial.as_row`."""


class Backend(Protocol[A]):
    """Images are the backend's own; what comes out is numpy."""

    def image(self, micrograph: Array) -> A:
        """The micrograph as float32 where it is worked on."""

    def faults(self, image: A) -> tuple[int, bool]:
        """Number of pixels that are not finite; whether all pixels have one value."""

    def mean_periodogram(self, image: A, tile: int) -> Array:
        """(tile, tile//2 + 1) float32 of an image (h, w), see `periodogram.mean_periodogram`."""

    def model(self, polar: PolarSpectrum, microscope: Microscope) -> TrialModel:
        """What scores trials against one spectrum."""


def backend_for(device: str) -> Backend[Any]:
    """The backend of a device: "cpu" needs no torch; "cuda:0", "torch-cpu" (for tests) do."""
    if device == "cpu":
        from verglas.ctf.cpu_backend import CpuBackend

        return CpuBackend()
    from verglas.ctf.torch_backend import TorchBackend

    return TorchBackend("cpu" if device == "torch-cpu" else device)
