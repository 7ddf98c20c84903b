"""Whether the particles are seen from enough directions for a map (central sections must fill Fourier space)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

HEALPIX_ORDER = 3  # 768 directions of Fourier space
NEAR_DEG = 5.0  # a central section covers the directions so near to it
FEW = 0.1  # of the mean number of sections: less than that counts as none
MISSING = 0.3  # of the directions: a map without them is smeared
LOOKED_AT = 5000  # particles


def missing_directions(view_vectors: np.ndarray, directions: np.ndarray) -> float:
    """Share of unit vectors `directions` (d, 3) near which few sections of views (n, 3) pass."""
    near = np.abs(directions @ view_vectors.T) < np.sin(np.deg2rad(NEAR_DEG))
    count = near.sum(1)
    return float((count <= FEW * count.mean()).mean())


def views_doubt(settings: EmSettings, state: State) -> str:
    """What is wrong about the directions found so far; "" if nothing."""
    import torch

    from verglas.geometry.euler import view_vectors
    from verglas.geometry.healpix import pixel_directions
    from verglas.geometry.symmetry import PointGroup

    found = state.assignments
    rows = np.flatnonzero(found.p_max > 0)
    if not len(rows):
        return ""
    rows = rows[:: max(1, len(rows) // LOOKED_AT)]
    angles = torch.from_numpy(np.stack([found.rot_deg[rows], found.tilt_deg[rows]], 1))
    group = PointGroup.of(settings.symmetry)
    views = group.direction_mates(view_vectors(angles)).reshape(-1, 3).numpy()
    pixels = torch.arange(12 * 4**HEALPIX_ORDER)
    share = missing_directions(views, view_vectors(pixel_directions(pixels, HEALPIX_ORDER)).numpy())
    if share < MISSING:
        return ""
    return (
        f"{100 * share:.0f} % of the directions of Fourier space are seen by next to no particle: they have "
        "too few different views, and the map is smeared where there are none"
    )
