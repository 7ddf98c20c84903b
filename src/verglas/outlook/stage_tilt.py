"""Whether the particles are seen from enough sides, and the stage tilt that would help where they are not.

A view samples the frequencies perpendicular to it (Baldwin & Lyumkis 2020, 2021). Particles that lie in the ice with
the same side down are all seen along one axis; the stage tilted by t, they are seen along the cone of half angle t
about it, at all azimuths, because they lie turned about it by chance. So what a tilt would add follows from the views.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.geometry import PointGroup, rot_tilt_of, view_vectors
from verglas.maps.directional import coverage
from verglas.outlook.views import GOOD_EFFICIENCY, Sampled, Views, in_words

Floats = NDArray[np.float64]
TILTS_DEG = (10, 20, 30, 40)
AZIMUTHS = 12
NEARLY = 0.05  # below the best tilt's gain: the least tilt with that is taken, for thick ice costs signal
LEAST_GAIN = 0.1  # of efficiency and of the missing share together, that a tilt is worth
MOST_VIEWS, MOST_TRIED, LEAST_TRIED = 60_000, 600, 40  # with mates; of particles, in a trial of tilts
LEAST_VIEWS = 100


def views_of(rot_deg: Floats, tilt_deg: Floats, symmetry: str, seed: int = 1) -> Views:
    """From the angles (n,) of a map's particles. Raises ValueError for an unknown symmetry."""
    count = len(rot_deg)
    if count < LEAST_VIEWS:
        return Views(count, None, None, None, f"{count} particles are too few to tell their views from")
    group = PointGroup.of(symmetry)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    views = view_vectors(np.stack([rot_deg, tilt_deg], 1))[order]
    now = _sampled(views[: MOST_VIEWS // group.order], group)
    tilt, tilted = None, None
    if now.efficiency < GOOD_EFFICIENCY:
        tilt, tilted = _best_tilt(views[: max(LEAST_TRIED, MOST_TRIED // group.order)], group)
    return Views(count, now, tilt, tilted, in_words(now, tilt, tilted))


def _sampled(views: Tensor, group: PointGroup) -> Sampled:
    found = coverage(rot_tilt_of(group.direction_mates(views).reshape(-1, 3)))
    return Sampled(found.efficiency, found.missing)


def _best_tilt(views: Tensor, group: PointGroup) -> tuple[int | None, Sampled | None]:
    """The least tilt that is nearly as good as the best, for as many particles again; None if it gains little."""
    found = {tilt: _sampled(_with_tilted(views, tilt), group) for tilt in (0, *TILTS_DEG)}
    worth = {tilt: each.efficiency - each.missing for tilt, each in found.items()}
    best = max(worth.values())
    if best < worth[0] + LEAST_GAIN:
        return None, None
    tilt = next(tilt for tilt, value in worth.items() if value >= best - NEARLY)
    return tilt, found[tilt]


def _with_tilted(views: Tensor, tilt_deg: float) -> Tensor:
    """Views (n, 3), and as much weight again on the cones of half angle `tilt_deg` about them."""
    helper = torch.where(
        (views[:, 2:].abs() < 0.9), torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 0, 0])
    ).double()
    across = torch.linalg.cross(views, helper)
    across /= across.norm(dim=1, keepdim=True)
    other = torch.linalg.cross(views, across)
    turns = torch.arange(AZIMUTHS) * (2 * math.pi / AZIMUTHS)
    around = torch.cos(turns)[:, None, None] * across + torch.sin(turns)[:, None, None] * other
    angle = math.radians(tilt_deg)
    cones = math.cos(angle) * views + math.sin(angle) * around
    return torch.cat([views.repeat(AZIMUTHS, 1), cones.reshape(-1, 3)])
