"""HEALPix directions in nested numbering (refinement.md Appendix A, §2.3)."""

from __future__ import annotations

import torch
from torch import Tensor

MAX_ORDER = 12
_FACE_RING = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_FACE_PHI = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)


def n_directions(order: int) -> int:
    """Number of pixels of the sphere at an order: 12 * 4**order. ValueError outside 0..MAX_ORDER."""
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"HEALPix order must lie in 0..{MAX_ORDER}, got {order}")
    return int(12 * 4**order)


def angular_step_deg(order: int) -> float:
    """Nominal spacing of directions: 60 degrees at order 0, halved with each order."""
    n_directions(order)
    return float(60.0 / 2**order)


def healpix_directions(order: int) -> Tensor:
    """(rot, tilt) in degrees of all pixels of an order, nested; (12 * 4**order, 2) float64."""
    return pixel_directions(torch.arange(n_directions(order)), order)


def pixel_directions(pixels: Tensor, order: int) -> Tensor:
    """(rot, tilt) in degrees, (..., 2) float64, of the centres of nested pixels; rot in [-180, 180)."""
    if pixels.numel() and not 0 <= int(pixels.min()) <= int(pixels.max()) < n_directions(order):
        raise ValueError(f"pixels must lie in 0..{n_directions(order) - 1} at HEALPix order {order}")
    n = 1 << order
    face, rest = pixels // (n * n), pixels % (n * n)
    ix, iy = _even_bits(rest, order), _even_bits(rest >> 1, order)
    ring = torch.tensor(_FACE_RING, device=pixels.device)[face] * n - ix - iy - 1
    north, south = ring < n, ring > 3 * n
    m = torch.where(north, ring, torch.where(south, 4 * n - ring, n))
    offset = torch.where(north | south, 0, (ring - n) & 1)
    z_cap = 1.0 - m.double() ** 2 / (3.0 * n * n)
    z = torch.where(north, z_cap, torch.where(south, -z_cap, (2 * n - ring).double() * 2.0 / (3.0 * n)))
    position = (torch.tensor(_FACE_PHI, device=pixels.device)[face] * m + ix - iy + 1 + offset) // 2
    position = torch.where(position > 4 * n, position - 4 * n, position)
    position = torch.where(position < 1, position + 4 * n, position)
    rot = (position.double() - (offset + 1) / 2.0) * (90.0 / m.double())
    rot = torch.where(rot >= 180.0, rot - 360.0, rot)
    return torch.stack([rot, torch.rad2deg(torch.acos(z))], dim=-1)


def children(pixels: Tensor, levels: int = 1) -> Tensor:
    """Nested pixels `levels` orders finer inside each pixel; (..., 4**levels)."""
    return pixels[..., None] * 4**levels + torch.arange(4**levels, device=pixels.device)


def parents(pixels: Tensor, levels: int = 1) -> Tensor:
    """The pixels `levels` orders coarser that contain these."""
    return pixels >> (2 * levels)


def _even_bits(values: Tensor, order: int) -> Tensor:
    """The number made of bits 0, 2, 4, ... of each value."""
    result = torch.zeros_like(values)
    for bit in range(order):
        result |= ((values >> (2 * bit)) & 1) << bit
    return result
