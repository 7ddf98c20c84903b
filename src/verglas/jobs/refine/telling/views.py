"""Whether the particles are seen from enough directions for a map (central sections must fill Fourier space)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

MISSING = 0.3  # of the directions: a map without them is smeared
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
    share = coverage(rot_tilt_of(group.direction_mates(view_vectors(angles)).reshape(-1, 3))).missing
    if share < MISSING:
        return ""
    return (
        f"{100 * share:.0f} % of the directions of Fourier space are seen by next to no particle: they have "
        "too few different views, and the map is smeared where there are none"
    )
