"""Laying a map on the axes of a point group (refinement.md §7.6), and imposing the group on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from verglas.fourier import low_pass
from verglas.fourier.gridding import real_radius
from verglas.geometry import PointGroup
from verglas.maps.box_geometry import centre_of_mass_px
from verglas.maps.fitting import RigidMove
from verglas.maps.symmetry.search import (
    COARSE_SIDE,
    FINE_SIDE,
    MIDDLE_SIDE,
    TABLE_ORDER,
    Axes,
    climb,
    grid_of,
    polish,
    starts,
)
from verglas.maps.symmetry.self_rotation import SelfRotation, TurnTable
from verglas.maps.symmetry.turns import turns_of

Map = NDArray[np.floating]


@dataclass(frozen=True)
class AlignmentSettings:
    """How a map is laid on the axes of a group."""

    box: int = FINE_SIDE  # of the copy on which orientation and centre are refined
    keep_centre: bool = False  # the middle of the box is on the axes
    only_rot: bool = False  # turn about z only: that axis is right already
    max_resolution_angst: float | None = None  # finer detail is not looked at


_DEFAULTS = AlignmentSettings()


def align_to_symmetry(
    volume: Tensor, pixel_size_angst: float, group: PointGroup, settings: AlignmentSettings = _DEFAULTS
) -> RigidMove:
    """How to turn and move a cubic map so that its symmetry axes lie where a group has them.

    All orientations are searched on a grid of 3.75 degrees, a table of how the map agrees with itself after
    turns about all axes giving their scores; the best few go on with halved steps; the best one and the centre
    (first that of mass) are refined together. The correlation of the answer is the mean over all operators but the
    identity of the correlation between map and turned map. Raises ValueError for a map without positive values and for
    groups with mirrors.
    """
    turns = turns_of(group)
    if settings.max_resolution_angst is not None:
        volume = low_pass(volume.float(), pixel_size_angst, settings.max_resolution_angst)
    centre = torch.zeros(3, dtype=torch.float64) if settings.keep_centre else centre_of_mass(volume)
    if not len(turns.operators):
        return RigidMove(np.eye(3), centre.numpy(), 1.0)
    coarse = SelfRotation.of(volume, COARSE_SIDE, centre)
    table = TurnTable.of(coarse, turns.fractions, TABLE_ORDER)
    frames = starts(table, group, grid_of(group, settings.only_rot))
    frame, score = climb(SelfRotation.of(volume, MIDDLE_SIDE, centre), turns, frames, settings.only_rot)
    fixed = "centre" * settings.keep_centre + " tilt" * settings.only_rot
    found = polish(volume, turns, Axes(frame, centre, score), settings.box, None, fixed=fixed)
    return RigidMove(found.frame.numpy(), found.centre_px.numpy(), found.score)


def impose(volume: Map, move: RigidMove, group: PointGroup) -> NDArray[np.float32]:
    """The moved map made symmetric: mean over g of map(R g v + t), cubic in between, 0 comes in; one interpolation."""
    size = volume.shape[0]
    centre = np.full(3, float(size // 2))
    smooth = ndimage.spline_filter(volume.astype(np.float64), order=3)
    total = np.zeros(volume.shape)
    for operator in group.operators.numpy():
        matrix = (move.rotation @ operator)[::-1, ::-1]
        offset = centre + move.shift_px[::-1] - matrix @ centre
        total += ndimage.affine_transform(smooth, matrix, offset, order=3, prefilter=False)
    return np.asarray(total / group.order, np.float32)


def centre_of_mass(volume: Tensor) -> Tensor:
    """(x, y, z) from the middle, of the positive voxels within the inscribed sphere; ValueError if there are none."""
    size = int(volume.shape[-1])
    inside = volume.clamp_min(0) * (real_radius(size, 3, volume.device) < size / 2)
    if not bool((inside > 0).any()):
        raise ValueError("the map has no positive values: it has no centre of mass")
    return torch.tensor(centre_of_mass_px(inside.cpu().numpy()), dtype=torch.float64)
