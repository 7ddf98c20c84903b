"""Clusters of beam shifts: images taken at one beam-shift position share their aberrations.

Microscopes take many holes from one stage position by shifting beam and image; every position has a beam
tilt of its own. Positions repeat with a small scatter, far apart against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass
class ShiftClusters:
    """Clusters that only grow: a shift belongs to the nearest centre within `tolerance`, else to a new one.

    The number of a cluster never changes and a shift assigned once stays, so numbers given out before
    stay right while new images arrive. Centres are running means until 20 members, then fixed.
    """

    tolerance: float
    centres: list[tuple[float, float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def assign(self, shift: tuple[float, float]) -> int:
        """The cluster (from 0) of a shift."""
        if not np.isfinite(shift).all():
            raise ValueError(f"beam shift {shift} is not finite")
        if self.centres:
            distances = np.hypot(*(np.array(self.centres) - shift).T)
            nearest = int(np.argmin(distances))
            if distances[nearest] <= self.tolerance:
                self._join(nearest, shift)
                return nearest
        self.centres.append((float(shift[0]), float(shift[1])))
        self.sizes.append(1)
        return len(self.centres) - 1

    def _join(self, index: int, shift: tuple[float, float]) -> None:
        size = self.sizes[index] = self.sizes[index] + 1
        if size <= 20:
            x, y = self.centres[index]
            self.centres[index] = (x + (shift[0] - x) / size, y + (shift[1] - y) / size)


def natural_tolerance(shifts: npt.ArrayLike) -> float:  # (n, 2)
    """Half the gap between scatter and spacing: a radius that separates the positions.

    Edges of the minimum spanning tree are short within a position and long between positions; the
    largest ratio between neighbours in their sorted list marks the gap. Without a gap of a factor 3 all
    shifts are one position: infinity. Two shifts or fewer: half their distance.
    """
    points = np.asarray(shifts, dtype=float).reshape(-1, 2)
    points = np.unique(points, axis=0)
    if len(points) < 2:
        return float("inf")
    edges = np.sort(_spanning_edges(points))
    if len(edges) < 3:
        return float(edges[0]) / 2
    ratios = edges[1:] / np.maximum(edges[:-1], 1e-12)
    place = int(np.argmax(ratios))
    if ratios[place] < 3:
        return float(edges[0]) / 2 if edges[-1] < 3 * edges[0] else float("inf")
    return float(np.sqrt(edges[place] * edges[place + 1]))


def cluster_shifts(shifts: Sequence[tuple[float, float]], tolerance: float) -> list[int]:
    """Connected clusters (single linkage at `tolerance`), numbered from 0 by first appearance."""
    points = np.asarray(shifts, dtype=float).reshape(-1, 2)
    if not len(points):
        return []
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not np.isfinite(tolerance):
        return [0] * len(points)
    near = cKDTree(points).sparse_distance_matrix(cKDTree(points), tolerance, output_type="coo_matrix")
    near.data[:] = 1
    near = near + _identity(len(points))
    _, found = connected_components(near, directed=False)
    order: dict[int, int] = {}
    return [order.setdefault(int(each), len(order)) for each in found]


def _identity(size: int) -> object:
    from scipy.sparse import identity

    return identity(size, format="coo")


def _spanning_edges(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lengths of the edges of the minimum spanning tree (Prim), at most 3000 points."""
    if len(points) > 3000:
        points = points[np.random.default_rng(0).permutation(len(points))[:3000]]
    left = np.ones(len(points), bool)
    left[0] = False
    nearest = np.hypot(*(points - points[0]).T)
    edges = []
    for _ in range(len(points) - 1):
        index = int(np.argmin(np.where(left, nearest, np.inf)))
        edges.append(nearest[index])
        left[index] = False
        nearest = np.minimum(nearest, np.hypot(*(points - points[index]).T))
    return np.array(edges)
