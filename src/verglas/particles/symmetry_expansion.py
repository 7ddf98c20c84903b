"""Every particle once for each of its symmetry mates: all copies of an asymmetric unit in one place."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from verglas.geometry import PointGroup, euler_angles, euler_matrices

Floats = NDArray[np.float64]


def expanded_angles(angles_deg: Floats, group: PointGroup) -> Floats:
    """(n, g, 3) equivalent (rot, tilt, psi) of orientations (n, 3); the first are those given.

    Raises ValueError for groups with mirrors: no particle has its own mirror image.
    """
    if not group.is_chiral:
        raise ValueError(f"point group {group.name} has mirrors: particles cannot be expanded by it")
    mates = group.mates(euler_matrices(torch.from_numpy(angles_deg)))
    found = np.array(euler_angles(mates).numpy())
    found[:, 0] = angles_deg
    return found


def expanded_helix(
    angles_deg: Floats, origins_yx_angst: Floats, twist_deg: float, rise_angst: float, units: int
) -> tuple[Floats, Floats]:
    """Angles (n, units, 3) and origins (n, units, 2) with each of so many units in the centre in turn.

    The map has ρ(R v + rise·z) = ρ(v), R a turn about z by the twist; units lie on both sides of the middle.
    """
    steps = np.arange(units) - units // 2
    matrices = euler_matrices(torch.from_numpy(angles_deg))
    turns = torch.zeros(units, 3, dtype=torch.float64)
    turns[:, 0] = torch.from_numpy(-twist_deg * steps)  # A(rot) turns by -rot
    found = np.array(euler_angles(matrices[:, None] @ euler_matrices(turns)).numpy())
    found[:, units // 2] = angles_deg
    along = matrices[:, :2, 2].numpy()[:, ::-1] * rise_angst  # (n, 2) as (y, x)
    return found, origins_yx_angst[:, None] - steps[:, None] * along[:, None]
