"""Local searches: neighbourhoods of the particles' last orientations on the common grid (refinement.md §2.5).

A neighbourhood holds the orientations whose direction lies within 3 σ of the particle's and whose psi does,
too; its prior is the product of the two normal densities, each normalised over what is kept. With a point group
every mate of the particle's orientation has one, so that a search goes on beyond the border of the asymmetric
unit; there RELION takes the mate's direction with the psi of the orientation itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from verglas.em.poses.grid import OrientationGrid
from verglas.em.state.particles import Floats, Ints
from verglas.geometry.euler import euler_angles, euler_matrices, view_vectors
from verglas.geometry.symmetry import PointGroup

CONE = 3.0  # σ that are searched
NEW_SHARE = 0.5  # of a particle's orientations: with more that are new, it begins another bucket
MOST_TOGETHER = 16  # particles of a bucket


@dataclass(frozen=True)
class Neighbourhood:
    """Orientations of the common grid around one particle's, ascending, and ln of their prior."""

    numbers: Ints  # (o,)
    log_prior: Floats  # (o,)


@dataclass(frozen=True)
class Bucket:
    """Particles that are searched together, and the union of their neighbourhoods."""

    rows: Ints  # (m,)
    numbers: Tensor  # (O,) orientations of the common grid
    log_prior: Tensor  # (m, O) -inf outside a particle's own


@dataclass(frozen=True)
class LocalSearch:
    """Finds neighbourhoods; `relaxed` is the group under which mates are searched with equal prior."""

    grid: OrientationGrid
    group: PointGroup
    relaxed: PointGroup | None = None

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(view_vectors(self.grid.directions_deg).numpy())

    @property
    def _sigmas_deg(self) -> tuple[float, float]:
        """σ of directions and of psi."""
        rot, tilt, psi = self.grid.sampling.local_sigma_deg
        return max(rot, tilt), psi

    def around(self, angles_deg: Floats) -> list[Neighbourhood]:
        """Neighbourhoods of orientations (n, 3)."""
        mates = self._mates(angles_deg)  # (n, g, 3)
        n, g = mates.shape[:2]
        centres = view_vectors(torch.from_numpy(mates[..., :2])).numpy().reshape(n * g, 3)
        chord = 2 * np.sin(np.deg2rad(min(CONE * self._sigmas_deg[0], 180.0)) / 2)
        near = self._tree.query_ball_point(centres, chord)
        found = []
        for row in range(n):
            span = range(row * g, (row + 1) * g)
            parts = [(near[k], centres[k], mates[row, k - row * g, 2]) for k in span if near[k]]
            if not parts:
                distance, closest = self._tree.query(centres[span.start : span.stop])
                k = int(np.argmin(distance))
                parts = [([int(closest[k])], centres[span.start + k], mates[row, k, 2])]
            found.append(self._joined(parts))
        return found

    def _mates(self, angles_deg: Floats) -> Floats:
        matrices = euler_matrices(angles_deg)
        mates = self.group.mates(matrices)
        if self.relaxed is not None:
            mates = self.relaxed.mates(mates).flatten(1, 2)
        angles: Floats = euler_angles(mates).numpy()
        return angles

    def _joined(self, parts: list[tuple[list[int], Floats, float]]) -> Neighbourhood:
        """One neighbourhood of those of the mates of an orientation."""
        pieces = [self._one(np.array(sorted(near)), centre, psi) for near, centre, psi in parts]
        numbers = np.concatenate([numbers for numbers, _ in pieces])
        weights = np.concatenate([weights for _, weights in pieces])
        unique, place = np.unique(numbers, return_inverse=True)
        total = np.zeros(len(unique))
        np.add.at(total, place, weights)
        return Neighbourhood(unique, np.log(total / total.sum()))

    def _one(self, near: Ints, centre: Floats, psi_deg: float) -> tuple[Ints, Floats]:
        """Numbers and prior of the orientations around one, which has `near` directions."""
        sigma, sigma_psi = self._sigmas_deg
        cosines = np.clip(np.asarray(self._tree.data)[near] @ centre, -1, 1)
        directions = _normal(np.rad2deg(np.arccos(cosines)), sigma)
        away = np.abs(np.remainder(self._psi_deg - psi_deg + 180, 360) - 180)
        psis = np.nonzero(away < CONE * sigma_psi)[0]
        if not len(psis):
            psis = np.array([int(np.argmin(away))])
        turns = _normal(away[psis], sigma_psi)
        numbers = near[:, None] * self.grid.n_psi + psis
        return numbers.ravel(), (directions[:, None] * turns).ravel()

    @cached_property
    def _psi_deg(self) -> Floats:
        psi: Floats = self.grid.psi_deg.numpy()
        return psi

    def buckets(self, rows: Ints, angles_deg: Floats) -> Iterator[Bucket]:
        """Particles `rows` with orientations (n, 3), neighbours together; each in one bucket."""
        found = self.around(angles_deg)
        order = np.lexsort((angles_deg[:, 2], *self._cells(angles_deg)))
        members: list[int] = []
        union: Ints = np.empty(0, np.int64)
        for k in order:
            numbers = found[k].numbers
            new = np.setdiff1d(numbers, union, assume_unique=True)
            full = len(members) >= MOST_TOGETHER
            if members and (full or len(new) > NEW_SHARE * len(numbers)):
                yield _bucket(rows, members, union, found)
                members, union, new = [], union[:0], numbers
            members.append(int(k))
            union = np.union1d(union, new)
        if members:
            yield _bucket(rows, members, union, found)

    def _cells(self, angles_deg: Floats) -> tuple[Ints, Ints]:
        """Cells of psi and of direction, as wide as a neighbourhood: the keys that sort particles."""
        sigma, sigma_psi = self._sigmas_deg
        psi = np.floor(angles_deg[:, 2] / max(2 * CONE * sigma_psi, 1.0)).astype(np.int64)
        _, closest = self._tree.query(view_vectors(angles_deg[:, :2]).numpy())
        levels = 0
        while self.grid.sampling.angular_step_deg * 2**levels < 2 * CONE * sigma:
            levels += 1
        return psi, self.grid.pixels.numpy()[closest] >> (2 * levels)


def _bucket(rows: Ints, members: list[int], union: Ints, found: list[Neighbourhood]) -> Bucket:
    prior = np.full((len(members), len(union)), -np.inf)
    for line, k in enumerate(members):
        prior[line, np.searchsorted(union, found[k].numbers)] = found[k].log_prior
    return Bucket(rows[members], torch.from_numpy(union), torch.from_numpy(prior))


def _normal(away_deg: Floats, sigma_deg: float) -> Floats:
    """A normal density at these distances, normalised to 1 over them."""
    density = np.exp(-0.5 * (away_deg / max(sigma_deg, 1e-6)) ** 2)
    total = density.sum()
    result: Floats = density / total if total > 0 else np.full(len(density), 1 / len(density))
    return result
