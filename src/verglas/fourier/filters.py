"""Radial filters of maps and images (refinement.md §10.7.4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from verglas.fourier.band import band_radius, band_spectrum, from_band
from verglas.fourier.grid import squared_radius
from verglas.fourier.transforms import forward, inverse

EDGE_SHELLS = 2


def low_pass_weights(
    radius: Tensor, cutoff_shell: float | Tensor, edge_shells: float = EDGE_SHELLS
) -> Tensor:
    """1 below cutoff - edge/2, 0 above cutoff + edge/2, a raised cosine between; `radius` in shells."""
    if edge_shells <= 0:
        return (radius <= cutoff_shell).to(radius.dtype)
    part = ((radius - cutoff_shell) / edge_shells + 0.5).clamp(0.0, 1.0)
    return 0.5 + 0.5 * torch.cos(torch.pi * part)


def cutoff_shell(size: int, pixel_size_angst: float, resolution_angst: float) -> int:
    """round(N·p/d), the shell of a resolution."""
    if resolution_angst <= 0:
        raise ValueError(f"resolution must be positive (Å), got {resolution_angst}")
    return math.floor(size * pixel_size_angst / resolution_angst + 0.5)


def low_pass(
    maps: Tensor,
    pixel_size_angst: float,
    resolution_angst: float,
    *,
    dims: int = 3,
    edge_shells: float = EDGE_SHELLS,
    whole_shell: bool = True,
) -> Tensor:
    """Real maps (..., N, N, N), or images with `dims` = 2, low-passed at a resolution in Å.

    The cut-off is rounded to a shell, as RELION's image tools do; without `whole_shell` it is not, as its
    refinements filter first references (refinement.md §4.3).
    """
    size = int(maps.shape[-1])
    shell = size * pixel_size_angst / resolution_angst
    if whole_shell:
        shell = cutoff_shell(size, pixel_size_angst, resolution_angst)
    reach = math.ceil(shell + edge_shells / 2)
    if 2 * reach < size:
        weights = low_pass_weights(band_radius(reach, dims, maps.device), shell, edge_shells)
        return from_band(band_spectrum(maps, reach, dims) * weights.to(maps.dtype), size, dims)
    radius = squared_radius(size, dims, maps.device).to(maps.dtype).sqrt()
    weights = low_pass_weights(radius, shell, edge_shells)
    return inverse(forward(maps, dims) * weights, size, dims)


def b_factor_weights(radius: Tensor, size: int, pixel_size_angst: float, b_factor_a2: float) -> Tensor:
    """exp(-B/4 · k²) at radii in shells; a negative B sharpens."""
    return torch.exp(-b_factor_a2 / 4 * (radius / (size * pixel_size_angst)).square())
