"""Where spectra are made and trials are scored: the CPU (numpy, scipy) or a device of torch.

What takes long goes through here: the periodogram of the micrograph and the scores of trial CTFs, with
background and envelope solved for each. Dealing a finished spectrum to rings and what is read off the fit
takes milliseconds on half a megabyte and stays on the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from verglas.ctf.polar import PolarSpectrum
    from verglas.ctf.settings import Microscope

Array = np.ndarray[Any, Any]


class TrialModel(Protocol):
    """See `model.SpectrumModel`."""

    def explained_many(self, trials: Array) -> Array: ...


class Backend(Protocol):
    """Images are the backend's own; what comes out is numpy."""

    def image(self, micrograph: Array) -> Any:
        """The micrograph as float32 where it is worked on."""

    def faults(self, image: Any) -> tuple[int, bool]:
        """Number of pixels that are not finite; whether all pixels have one value."""

    def mean_periodogram(self, image: Any, tile: int) -> Array:
        """See `periodogram.mean_periodogram`."""

    def model(self, polar: PolarSpectrum, microscope: Microscope) -> TrialModel: ...


def backend_for(device: str) -> Backend:
    """The backend of a device: "cpu" needs no torch; "cuda:0", "torch-cpu" (for tests) do."""
    if device == "cpu":
        from verglas.ctf.cpu_backend import CpuBackend

        return CpuBackend()
    from verglas.ctf.torch_backend import TorchBackend

    return TorchBackend("cpu" if device == "torch-cpu" else device)
