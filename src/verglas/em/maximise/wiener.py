"""From summed slices to a map: spectra of the sums and Wiener division (refinement.md §3.3, §3.4).

Everything takes k classes at once and stays on the device of the sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from verglas.em.maximise.rounding import nearest
from verglas.fourier.lattice import Lattice

MIN_REGULARISED_SHELL = 5  # below it the prior is left out (minres_map)
NO_SIGNAL = 1e-20
WEIGHT_FLOOR = 1000.0  # weights are at least the shell mean divided by this


@dataclass(frozen=True)
class ClassSpectra:
    """Shell spectra of k classes; (k, S) float64."""

    sigma2_reference: Tensor  # noise power of the unregularised reconstruction
    data_vs_prior: Tensor
    coverage: Tensor  # share of voxels where the data outweigh the prior


@dataclass(frozen=True)
class ShellMap:
    """Which points of a lattice count, and their shells; flattened."""

    lattice: Lattice
    n_shells: int
    squared: Tensor  # (M,) |v|² of all points, int64

    @classmethod
    def of(cls, lattice: Lattice, n_shells: int, device: torch.device | str = "cpu") -> ShellMap:
        return cls(lattice, n_shells, lattice.squared_radius(device).flatten())

    @property
    def limit(self) -> int:
        """|v|² of the rim."""
        return nearest(self.lattice.r_max * self.lattice.padding) ** 2

    @cached_property
    def shells(self) -> Tensor:
        return self.lattice.shell_of(self.squared).clamp_max(self.n_shells - 1)

    @cached_property
    def inside(self) -> Tensor:
        return self.squared < self.limit

    @cached_property
    def places(self) -> Tensor:
        """Flat positions of the points inside."""
        return self.inside.nonzero().flatten()

    @cached_property
    def shells_inside(self) -> Tensor:
        return self.shells[self.places]

    @cached_property
    def counts(self) -> Tensor:
        """Points inside per shell, (S,)."""
        return torch.bincount(self.shells_inside, minlength=self.n_shells).double()

    def sums(self, values: Tensor) -> Tensor:
        """Sums of flattened values (k, M) over the points inside, per shell: (k, S)."""
        return self._by(self.shells_inside, values)

    def means(self, values: Tensor) -> Tensor:
        """Means over shells, 0 for empty ones."""
        return self.sums(values) / self.counts.clamp_min(1)

    def _by(self, bins: Tensor, values: Tensor) -> Tensor:
        result = values.new_zeros((len(values), self.n_shells), dtype=torch.float64)
        return result.index_add_(1, bins, values[:, self.places].double())

    def ring_means(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Means over rings floor(|v|/padding) (k, S), and the ring of every point, at most r_max - 1."""
        rings = (self.squared.double().sqrt() / self.lattice.padding).floor().long()
        inside = rings[self.places].clamp_max(self.n_shells - 1)
        counts = torch.bincount(inside, minlength=self.n_shells).clamp_min(1)
        return self._by(inside, values) / counts, rings.clamp_max(max(0, self.lattice.r_max - 1))


def spectra_of_weights(
    weight: Tensor, tau2: Tensor, tau2_fudge: float, where: ShellMap
) -> ClassSpectra:
    """Spectra of classes without half-sets from flattened weights (k, M); τ² (k, S) of the references."""
    o = where.lattice.oversampling
    total = where.sums(weight)
    sigma2 = torch.where(total > 0, where.counts / (o * total).clamp_min(1e-300), 0)
    prior = torch.where(tau2 < NO_SIGNAL, 0, o * tau2_fudge * tau2)
    ratio = weight * prior[:, where.shells]
    return ClassSpectra(sigma2, where.means(ratio), where.means((ratio >= 1).double()))


def divide(
    data: Tensor, weight: Tensor, where: ShellMap, tau2: Tensor | None, tau2_fudge: float,
    *, keep_edge: bool = False,
) -> Tensor:  # fmt: skip
    """Regularised quotients of flattened sums (k, M); `tau2` None leaves the prior out."""
    if tau2 is not None:
        strength = 1 / (where.lattice.oversampling * tau2_fudge * tau2.clamp_min(NO_SIGNAL))
        applies = (where.shells >= MIN_REGULARISED_SHELL) & where.inside
        weight = weight + torch.where(applies, strength[:, where.shells], 0)
    means, rings = where.ring_means(weight)
    floor = (means / WEIGHT_FLOOR)[:, rings]
    quotient = data / torch.maximum(weight, floor)
    inside = where.squared <= where.limit if keep_edge else where.inside
    return torch.where(inside & (floor > 0), quotient, 0)
