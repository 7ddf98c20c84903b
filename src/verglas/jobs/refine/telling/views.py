"""Whether the particles are seen from enough directions for a map (central sections must fill Fourier space)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

NEAR_DEG = 5.0  # a central section covers the directions so near to it
MISSING = 0.3  # of the directions: a map without them is smeared
# Share of the particles within a cap around one view: a sixteenth for even views, 0.14 in real β-galactosidase, 0.28 as
# a wrong first map of particles with 80 % in one view finds them.
CAP_DEG, IN_CAP = 20.0, 0.25
LEAST = 100  # particles: of fewer a quarter gathers somewhere by chance
LOOKED_AT = 5000  # particles


def views_doubt(settings: EmSettings, state: State) -> str:
    """What is wrong about the directions found so far; "" if nothing."""
    import torch

    from verglas.geometry import PointGroup, rot_tilt_of, view_vectors
    from verglas.maps.directional import coverage

    found = state.assignments
    rows = np.flatnonzero(found.p_max > 0)
    if not len(rows):
        return ""
    rows = rows[:: max(1, len(rows) // LOOKED_AT)]
    angles = torch.from_numpy(np.stack([found.rot_deg[rows], found.tilt_deg[rows]], 1))
    group = PointGroup.of(settings.symmetry)
    views = group.direction_mates(view_vectors(angles)).reshape(-1, 3)
    share = coverage(rot_tilt_of(views), float(np.sin(np.deg2rad(NEAR_DEG)))).missing
    if share >= MISSING:
        return (
            f"{100 * share:.0f} % of the directions of Fourier space are seen by next to no particle: they have "
            "too few different views, and the map is smeared where there are none"
        )
    share = _in_one_view(views)
    if share >= IN_CAP and len(rows) >= LEAST:
        return (
            f"{100 * share:.0f} % of the particles lie within {CAP_DEG:g} degrees of one view: what other views show "
            "may be wrong or smeared. Collect at a tilted stage, or leave most of that view's particles out"
        )
    return ""


def _in_one_view(views: Tensor) -> float:
    """Largest share of views (m, 3) within a cap around one direction or its opposite."""
    import torch

    from verglas.geometry import healpix_directions, view_vectors

    centres = view_vectors(healpix_directions(2)).to(views)
    near = (views @ centres.T).abs() >= float(np.cos(np.deg2rad(CAP_DEG)))
    return float(near.to(torch.float64).mean(0).max())
