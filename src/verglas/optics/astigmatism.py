"""Defocus as a symmetric 2x2 matrix: what fits are linear in, and what a change of coordinates acts on.

The matrix D has eigenvalues U and V; along a direction n in the image the defocus is n^T D n (the negative
of refinement.md §1.8's A).
"""

from __future__ import annotations

import torch
from torch import Tensor


def defocus_matrices(u_angst: Tensor, v_angst: Tensor, angle_deg: Tensor) -> Tensor:
    """D (n, 2, 2) in Å, coordinates (x, y), of defocus U along `angle_deg` from +x and V across; float64."""
    angle = torch.deg2rad(angle_deg.double())
    cos, sin = angle.cos(), angle.sin()
    u, v = u_angst.double(), v_angst.double()
    xy = (u - v) * cos * sin
    rows = [u * cos**2 + v * sin**2, xy, xy, u * sin**2 + v * cos**2]
    return torch.stack(rows, -1).unflatten(-1, (2, 2))  # type: ignore[no-untyped-call]


def defocus_values(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(U, V, angle in degrees) (n,) of matrices (n, 2, 2): U >= V, the angle in (-90, 90]."""
    xx, yy = matrices[:, 0, 0], matrices[:, 1, 1]
    xy = (matrices[:, 0, 1] + matrices[:, 1, 0]) / 2
    mean, difference = (xx + yy) / 2, torch.hypot((xx - yy) / 2, xy)
    angle = torch.rad2deg(torch.atan2(xy, (xx - yy) / 2)) / 2
    return mean + difference, mean - difference, angle


def defocus_seen_through(matrices: Tensor, magnification: Tensor) -> Tensor:
    """D (n, 2, 2) in measured coordinates, M^T D M, where M (2, 2) maps measured to true frequencies.

    The quadratic part of the phase is the same function of the measured frequency. The way back is that
    of the inverse of M (refinement.md §10.11.4).
    """
    m = magnification.to(matrices)
    return m.T @ matrices @ m
