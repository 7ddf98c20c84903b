"""Orders of pixels and of particles in which neighbours in time are neighbours in memory."""

from __future__ import annotations

import torch
from torch import Tensor

PATCH = 8  # side of the squares of pixels
_LEVELS = 8  # halvings of the square that directions are laid out in


def patch_order(indices_yx: Tensor) -> Tensor:
    """Order of pixels (P, 2) by square patches, row by row within each; the origin stays first."""
    y, x = indices_yx[1:].unbind(1)
    y = y - y.amin()
    patch = (y // PATCH) * (int(x.amax()) // PATCH + 1) + x // PATCH
    inside = (y % PATCH) * PATCH + x % PATCH
    order = torch.argsort(patch * PATCH**2 + inside)
    return torch.cat([order.new_zeros(1), order + 1])


def direction_order(steps: Tensor) -> Tensor:
    """Order of slices with steps (n, 2, 3) along a curve through the directions of their normals.

    Slices of opposite normals are one plane, so that half of the sphere is laid out as a square, which is
    passed through by quarters, each by its quarters and so on.
    """
    normal = torch.linalg.cross(steps[:, 0], steps[:, 1])
    normal = normal * torch.where(normal[:, 2:] < 0, -1.0, 1.0)
    flat = normal[:, :2] / normal.abs().sum(1, keepdim=True).clamp_min(1e-30)  # |u| + |v| <= 1
    u, v = flat[:, 0] + flat[:, 1], flat[:, 0] - flat[:, 1]
    sides = ((torch.stack([u, v]) + 1) * 2 ** (_LEVELS - 1)).long().clamp(0, 2**_LEVELS - 1)
    key = torch.zeros_like(sides[0])
    for level in reversed(range(_LEVELS)):
        bits = sides >> level & 1
        key = key * 4 + bits[0] * 2 + bits[1]
    return torch.argsort(key, stable=True)
