"""How much assignments changed in an iteration (refinement.md §5.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from verglas.em.state.particles import Assignments, Floats, Ints
from verglas.geometry.distance import angular_distance_deg, in_plane_distance_deg
from verglas.geometry.euler import euler_matrices
from verglas.geometry.symmetry import PointGroup


@dataclass(frozen=True)
class Changes:
    """Averages over the particles that were visited."""

    classes: float  # fraction
    angles_deg: float
    offsets_angst: float


def changes(old: Assignments, new: Assignments, rows: Ints, group: PointGroup | None) -> Changes:
    """Class, angle and offset changes of particles `rows`.

    Angles between the nearest of an orientation's symmetry mates under `group`; None: in 2D, of psi alone.
    """
    if not len(rows):
        return Changes(0.0, 0.0, 0.0)
    moved = float((old.class_index[rows] != new.class_index[rows]).mean())
    away = ((new.origin_yx_angst[rows] - old.origin_yx_angst[rows]) ** 2).sum(1)
    return Changes(moved, float(_turns(old, new, rows, group).mean()), float(np.sqrt(away.mean() / 2)))


def _turns(old: Assignments, new: Assignments, rows: Ints, group: PointGroup | None) -> Floats:
    if group is None:
        psis = (torch.from_numpy(found.psi_deg[rows]) for found in (new, old))
        turned: Floats = in_plane_distance_deg(*psis).numpy()
        return turned
    matrices = [euler_matrices(_angles(found, rows)) for found in (new, old)]
    distance: Floats = angular_distance_deg(matrices[0], matrices[1], group).numpy()
    return distance


def _angles(found: Assignments, rows: Ints) -> Floats:
    return np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)
