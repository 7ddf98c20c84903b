"""Laplacian-of-Gaussian filters: responses to round blobs of given diameters (refinement.md §10.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def searched_diameters(smallest: float, largest: float) -> list[float]:
    """Diameters in the user's range: both ends and the geometric mean (one where they agree)."""
    if largest < 1.02 * smallest:
        return [math.sqrt(smallest * largest)]
    return [smallest, math.sqrt(smallest * largest), largest]


def blob_responses(
    spectrum: Tensor,  # (rows, columns//2+1)
    frequency: Tensor,  # same shape, 1/Å
    shape: tuple[int, int],
    diameters_angst: list[float],
) -> Tensor:  # (diameters, rows, columns)
    """Scale-normalised response of each diameter, each with unit standard deviation.

    A disc of radius r answers most to a Gaussian of sigma = r / sqrt(2); its filter in Fourier space is
    (k/s)^2 exp(-k^2 / 2s^2) with s = sqrt(2) / (pi d).
    """
    maps = []
    for diameter in diameters_angst:
        s = math.sqrt(2.0) / (math.pi * diameter)
        ratio = (frequency / s) ** 2
        response = torch.fft.irfft2(spectrum * ratio * torch.exp(-0.5 * ratio), s=shape)
        maps.append(response / response.std().clamp(min=1e-12))
    return torch.stack(maps)
