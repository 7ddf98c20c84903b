"""Local searches: neighbourhoods of the particles' last orientations on the common grid (refinement.md §2.5).

A neighbourhood holds the orientations whose direction lies within 3 σ of the particle's and whose psi does,
too; its prior is the product of the two normal densities, each normalised over what is kept. With a point
group every mate of the particle's orientation has one, so that a search goes on beyond the border of the
asymmetric unit; there RELION takes the mate's direction with the psi of the orientation itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from verglas.em.poses.grid import OrientationGrid
from verglas.em.state.particles import Floats, Ints
from verglas.geometry.euler import euler_angles, euler_matrices, view_vectors
from verglas.geometry.symmetry import PointGroup

CONE = 3.0  # σ that are searched
NEW_SHARE = 0.5  # of a particle's orientations: with more that are new, it begins another bucket
MOST_TOGETHER = 16  # particles of a bucket
TABLE_BYTES = 256 << 20  # of the cosines between particles and directions made at once


@dataclass(frozen=True)
class Neighbourhoods:
    """Orientations of the common grid around those of n particles, ascending, and ln of their prior."""

    numbers: Tensor  # (n, O) int64; -1 beyond a particle's own
    log_prior: Tensor  # (n, O) float64; -inf there
    counts: Tensor  # (n,)

    def rows(self, chosen: Tensor) -> Neighbourhoods:
        """Those of some particles."""
        return Neighbourhoods(self.numbers[chosen], self.log_prior[chosen], self.counts[chosen])


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
    device: torch.device | str = "cpu"

    @cached_property
    def _vectors(self) -> Tensor:
        """Unit vectors (D, 3) of the directions."""
        return view_vectors(self.grid.directions_deg).to(self.device)

    @property
    def _sigmas_deg(self) -> tuple[float, float]:
        """σ of directions and of psi."""
        rot, tilt, psi = self.grid.sampling.local_sigma_deg
        return max(rot, tilt), psi

    def around(self, angles_deg: Floats) -> Neighbourhoods:
        """Neighbourhoods of orientations (n, 3)."""
        mates = self._mates(angles_deg)  # (n, g, 3)
        size = max(1, TABLE_BYTES // (8 * mates.shape[1] * len(self._vectors)))
        parts = [self._of_mates(part, start * size) for start, part in enumerate(torch.split(mates, size))]
        keys, weights = (torch.cat(column) for column in zip(*parts))
        n, total = len(mates), len(self.grid)
        row, number = keys // total, keys % total
        sums = weights.new_zeros(n).index_add_(0, row, weights)
        counts = torch.bincount(row, minlength=n)
        place = torch.arange(len(row), device=self.device) - (counts.cumsum(0) - counts)[row]
        shape = (n, int(counts.max()))
        numbers = torch.full(shape, -1, dtype=torch.int64, device=self.device)
        prior = torch.full(shape, -torch.inf, dtype=torch.float64, device=self.device)
        numbers[row, place] = number
        prior[row, place] = (weights / sums[row]).log()
        return Neighbourhoods(numbers, prior, counts)

    def _mates(self, angles_deg: Floats) -> Tensor:
        mates = self.group.mates(euler_matrices(angles_deg))
        if self.relaxed is not None:
            mates = self.relaxed.mates(mates).flatten(1, 2)
        return euler_angles(mates).to(self.device)

    def _of_mates(self, mates: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Keys row * grid + number, ascending, and weights, of particles first.. with mates (n, g, 3)."""
        n, g = mates.shape[:2]
        centre = mates.reshape(n * g, 3)
        sigma, sigma_psi = self._sigmas_deg
        cosines = view_vectors(centre[:, :2]) @ self._vectors.T
        near = cosines > np.cos(np.deg2rad(min(CONE * sigma, 180.0)))
        lonely = ~near.view(n, -1).any(1)
        if bool(lonely.any()):  # the single nearest direction
            best = cosines.view(n, -1)[lonely].argmax(1)
            near.view(n, -1)[lonely.nonzero().flatten(), best] = True
        entry, direction = near.nonzero().unbind(1)
        away = torch.rad2deg(torch.acos(cosines[entry, direction].clamp(-1, 1)))
        weights = _normalised(away, sigma, entry, len(centre))
        psi, psi_weights = self._psis(centre[:, 2], sigma_psi)  # (n * g, w) each
        number = direction[:, None] * self.grid.n_psi + psi[entry]
        both = weights[:, None] * psi_weights[entry]
        kept = both > 0
        keys = ((entry // g + first)[:, None] * len(self.grid) + number)[kept]
        unique, place = torch.unique(keys, return_inverse=True)
        return unique, both.new_zeros(len(unique)).index_add_(0, place, both[kept])

    def _psis(self, centre_deg: Tensor, sigma_deg: float) -> tuple[Tensor, Tensor]:
        """Numbers (n, w) of the angles in the plane around centres (n,), and their weights; 0 if too far."""
        n_psi = self.grid.n_psi
        step = 360.0 / n_psi
        reach = int(np.ceil(CONE * sigma_deg / step)) + 1
        if 2 * reach + 1 >= n_psi:
            offsets = torch.arange(n_psi, device=self.device)
        else:
            offsets = torch.arange(-reach, reach + 1, device=self.device)
        middle = (centre_deg / step).round().long()
        numbers = torch.remainder(middle[:, None] + offsets, n_psi)
        away = (torch.remainder(numbers * step - centre_deg[:, None] + 180, 360) - 180).abs()
        nearest = away <= away.amin(1, keepdim=True)
        kept = (away < CONE * sigma_deg) | nearest
        density = torch.where(kept, torch.exp(-0.5 * (away / max(sigma_deg, 1e-6)).square()), 0)
        alone = density.sum(1, keepdim=True) <= 0
        density = torch.where(alone & nearest, 1.0, density)
        return numbers, density / density.sum(1, keepdim=True)

    def buckets(self, rows: Ints, angles_deg: Floats) -> Iterator[Bucket]:
        """Particles `rows` with orientations (n, 3), neighbours together; each in one bucket."""
        found = self.around(angles_deg)
        counts = found.counts.tolist()
        own = [found.numbers[k, :count].numpy() for k, count in enumerate(counts)]
        members: list[int] = []
        union: Ints = np.empty(0, np.int64)
        for k in self._order(angles_deg):
            new = np.setdiff1d(own[k], union, assume_unique=True)
            full = len(members) >= MOST_TOGETHER
            if members and (full or len(new) > NEW_SHARE * len(own[k])):
                yield _bucket(rows, members, union, own, found)
                members, union, new = [], union[:0], own[k]
            members.append(int(k))
            union = np.union1d(union, new)
        if members:
            yield _bucket(rows, members, union, own, found)

    def _order(self, angles_deg: Floats) -> Ints:
        """Particles in order of cells of direction and psi as wide as a neighbourhood."""
        sigma, sigma_psi = self._sigmas_deg
        cells = np.floor(angles_deg / max(2 * CONE * sigma, 1.0)).astype(np.int64)
        psi = np.floor(angles_deg[:, 2] / max(2 * CONE * sigma_psi, 1.0)).astype(np.int64)
        return np.lexsort((angles_deg[:, 2], psi, cells[:, 0], cells[:, 1]))


def _bucket(rows: Ints, members: list[int], union: Ints, own: list[Ints], found: Neighbourhoods) -> Bucket:
    prior = np.full((len(members), len(union)), -np.inf)
    for line, k in enumerate(members):
        prior[line, np.searchsorted(union, own[k])] = found.log_prior[k, : len(own[k])].numpy()
    return Bucket(rows[members], torch.from_numpy(union), torch.from_numpy(prior))


def _normalised(away_deg: Tensor, sigma_deg: float, group: Tensor, n: int) -> Tensor:
    """A normal density at distances (e,), normalised to 1 over each group (e,) of n."""
    nearest = away_deg.new_full((n,), torch.inf).scatter_reduce_(0, group, away_deg, "amin")
    exponent = nearest[group].square() - away_deg.square()  # one does not vanish however far it is
    density = torch.exp(0.5 * exponent / max(sigma_deg, 1e-6) ** 2)
    return density / density.new_zeros(n).index_add_(0, group, density)[group]
