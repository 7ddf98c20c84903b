"""Particles that lie closer together than a distance: which to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def without_duplicates(
    positions_xy_angst: NDArray[np.floating],  # (n, 2), of one micrograph
    distance_angst: float,
    rank: NDArray[np.floating],  # (n,), higher is better
) -> NDArray[np.int64]:
    """Indices to keep, ascending: the best-ranked of every group of close particles.

    Greedy from the best downwards, so that a chain of close particles keeps every second one. Ties are
    broken by position in the list.
    """
    n = len(positions_xy_angst)
    keep = np.ones(n, bool)
    if n < 2:
        return np.arange(n)
    neighbours = cKDTree(positions_xy_angst).query_ball_point(
        positions_xy_angst, np.nextafter(distance_angst, 0)
    )
    for index in np.argsort(-rank, kind="stable"):
        if keep[index]:
            keep[[other for other in neighbours[index] if other != index]] = False
    return np.flatnonzero(keep)
