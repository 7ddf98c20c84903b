"""How much assignments changed in an iteration (refinement.md §5.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from verglas.em.state.particles import Assignments, Ints
from verglas.geometry.euler import euler_matrices


@dataclass(frozen=True)
class Changes:
    """Averages over the particles that were visited."""

    classes: float  # fraction
    angles_deg: float
    offsets_angst: float


def changes(old: Assignments, new: Assignments, rows: Ints, dims: int) -> Changes:
    """Class, angle and offset changes of particles `rows`; angles in 2D wrapped to 0..180."""
    if not len(rows):
        return Changes(0.0, 0.0, 0.0)
    moved = float((old.class_index[rows] != new.class_index[rows]).mean())
    if dims == 2:
        turn = np.abs(np.remainder(new.psi_deg[rows] - old.psi_deg[rows] + 180, 360) - 180)
    else:
        turn = _angular_distance(_matrices(old, rows), _matrices(new, rows))
    away = ((new.origin_yx_angst[rows] - old.origin_yx_angst[rows]) ** 2).sum(1)
    return Changes(moved, float(turn.mean()), float(np.sqrt(away.mean() / 2)))


def _matrices(assignments: Assignments, rows: Ints) -> torch.Tensor:
    columns = [assignments.rot_deg[rows], assignments.tilt_deg[rows], assignments.psi_deg[rows]]
    return euler_matrices(np.stack(columns, 1))


def _angular_distance(first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
    """Mean over the three axes of the angle between them, degrees."""
    cosines = (first * second).sum(-1).clamp(-1, 1)
    result: np.ndarray = torch.rad2deg(torch.acos(cosines)).mean(-1).numpy()
    return result
