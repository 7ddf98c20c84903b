"""Soft circular and spherical masks (refinement.md §1.11, §3.9)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier.gridding import real_radius

IMAGE_EDGE_PX = 5.0
MAP_EDGE_PX = 3.0


def outside_weight(
    size: int,
    radius_px: float,
    edge_px: float = IMAGE_EDGE_PX,
    dims: int = 2,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """0 within the radius, a raised cosine across the edge outside it, 1 beyond; (N, N) or (N, N, N).

    The radius is not rounded; the centre is pixel N//2.
    """
    radius = real_radius(size, dims, device)
    if edge_px <= 0:
        return (radius > radius_px).to(dtype)
    part = ((radius - radius_px) / edge_px).clamp(0.0, 1.0)
    return (0.5 - 0.5 * torch.cos(torch.pi * part)).to(dtype)


def soft_mask(
    images: Tensor,
    radius_px: float,
    edge_px: float = IMAGE_EDGE_PX,
    *,
    dims: int = 2,
    background: Tensor | float | None = None,
) -> Tensor:
    """Images (..., N, N) with what lies outside the circle (sphere) replaced softly by a background.

    By default that is each image's own weighted mean outside the circle (RELION's "zero mask"); or a
    number, or images of noise.
    """
    outside = outside_weight(
        int(images.shape[-1]), radius_px, edge_px, dims, dtype=images.dtype, device=images.device
    )
    axes = tuple(range(-dims, 0))
    if background is None:
        total = outside.sum().clamp_min(torch.finfo(images.dtype).tiny)
        background = (images * outside).sum(axes, keepdim=True) / total
    return torch.lerp(images, torch.as_tensor(background).to(images).expand_as(images), outside)


def solvent_sphere(size: int, diameter_px: float, *, dims: int = 3) -> Tensor:
    """1 within the diameter, cosine edge of 5 px outside, 0 beyond: what references are multiplied with."""
    return 1 - outside_weight(size, diameter_px / 2, IMAGE_EDGE_PX, dims)
