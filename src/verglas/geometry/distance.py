"""How far apart two orientations are (refinement.md §1.6)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.geometry.euler import wrap_deg
from verglas.geometry.symmetry import PointGroup


def angular_distance_deg(first: Tensor, second: Tensor, group: PointGroup | None = None) -> Tensor:
    """Distance in degrees between orientations A (..., 3, 3): the mean angle between corresponding rows.

    With a point group the smallest over all symmetry mates of the second. It is RELION's measure of change
    between iterations, not the angle of the rotation from one to the other.
    """
    others = second.double()[..., None, :, :] if group is None else group.mates(second)
    cosines = (first.double()[..., None, :, :] * others).sum(-1).clamp(-1.0, 1.0)
    return torch.rad2deg(torch.acos(cosines)).mean(-1).amin(-1)


def in_plane_distance_deg(first_psi_deg: Tensor, second_psi_deg: Tensor) -> Tensor:
    """|Δψ| of 2D orientations in 0..180: 359 degrees count as 1."""
    return wrap_deg(first_psi_deg - second_psi_deg).abs()
