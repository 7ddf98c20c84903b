"""Real-space side of linear interpolation in Fourier space: padding, correction (refinement.md §1.13)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier.grid import Device


def real_radius(size: int, dims: int, device: Device = None) -> Tensor:
    """Distance of every pixel from pixel N//2, float64; (N, N) or (N, N, N)."""
    axis = (torch.arange(size, device=device) - size // 2).double().square()
    total = axis
    for _ in range(dims - 1):
        total = axis.reshape(-1, *[1] * total.ndim) + total
    return total.sqrt()


def gridding_correction(size: int, dims: int, padding: float, device: Device = None) -> Tensor:
    """sinc²(r / (N·padding)), float64: divide a map by it before slicing and after reconstruction.

    It is the transform of the linear kernel, taken radially as RELION does; the true one is a product
    over axes.
    """
    return torch.sinc(real_radius(size, dims, device) / (size * padding)).square()


def pad_box(maps: Tensor, side: int, dims: int) -> Tensor:
    """Zero-pad the last `dims` axes to `side`, pixel N//2 staying the centre."""
    size = maps.shape[-1]
    before = side // 2 - size // 2
    return torch.nn.functional.pad(maps, [before, side - size - before] * dims)


def crop_box(maps: Tensor, side: int, dims: int) -> Tensor:
    """The central part of the last `dims` axes (a view)."""
    start = maps.shape[-1] // 2 - side // 2
    for axis in range(-dims, 0):
        maps = maps.narrow(axis, start, side)
    return maps
