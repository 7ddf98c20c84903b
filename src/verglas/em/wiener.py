"""From summed slices to a map: spectra, Wiener division, real space (refinement.md §3.3-3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.rounding import nearest
from verglas.fourier.lattice import Lattice

MIN_REGULARISED_SHELL = 5  # below it the prior is left out (minres_map)
NO_SIGNAL = 1e-20
WEIGHT_FLOOR = 1000.0  # weights are at least the shell mean divided by this


@dataclass(frozen=True)
class ClassSpectra:
    """Shell spectra of one class; (S,) float64."""

    sigma2_reference: Tensor  # noise power of the unregularised reconstruction
    data_vs_prior: Tensor
    coverage: Tensor  # share of voxels where the data outweigh the prior


@dataclass(frozen=True)
class ShellMap:
    """Which voxels of a lattice count, and their shells."""

    lattice: Lattice
    inside: Tensor  # bool (L...)
    shells: Tensor  # int64 (L...)
    radii: Tensor
    n_shells: int

    @classmethod
    def of(cls, lattice: Lattice, n_shells: int) -> ShellMap:
        radii = lattice.squared_radius().double().sqrt()
        inside = radii.square() < nearest(lattice.r_max * lattice.padding) ** 2
        return cls(lattice, inside, lattice.shells().clamp_max(n_shells - 1), radii, n_shells)

    def sums(self, values: Tensor) -> Tensor:
        """Sum voxels inside r_max per shell, (S,)."""
        result = torch.zeros(self.n_shells, dtype=torch.float64)
        return result.index_add_(0, self.shells[self.inside], values[self.inside].double())

    def counts(self) -> Tensor:
        return torch.bincount(self.shells[self.inside], minlength=self.n_shells).double()


def oversampling(lattice: Lattice) -> float:
    """o of refinement.md §3.3: padded points per unpadded one."""
    return lattice.oversampling


def spectra_of_weights(
    weight: Tensor, tau2: Tensor, tau2_fudge: float, where: ShellMap
) -> ClassSpectra:
    """Spectra of a class without half-sets: τ² (S,) is that of the current reference (§3.3)."""
    o = oversampling(where.lattice)
    counts = where.counts()
    total = where.sums(weight)
    sigma2 = torch.where(total > 0, counts / (o * total).clamp_min(1e-300), 0)
    prior = (o * tau2_fudge * tau2)[where.shells]
    ratio = weight * prior
    ratio = torch.where(tau2[where.shells] < NO_SIGNAL, 0, ratio)
    data_vs_prior = torch.where(counts > 0, where.sums(ratio) / counts.clamp_min(1), 0)
    coverage = torch.where(counts > 0, where.sums((ratio >= 1).double()) / counts.clamp_min(1), 0)
    return ClassSpectra(sigma2, data_vs_prior, coverage)


def divide(
    data: Tensor, weight: Tensor, where: ShellMap, tau2: Tensor | None, tau2_fudge: float,
    *, keep_edge: bool = False,
) -> Tensor:  # fmt: skip
    """Regularised quotient on the lattice (§3.4); `tau2` None leaves the prior out."""
    o = oversampling(where.lattice)
    regularised = weight
    if tau2 is not None:
        strength = 1 / (o * tau2_fudge * tau2.clamp_min(NO_SIGNAL))
        added = strength[where.shells]
        applies = (where.shells >= MIN_REGULARISED_SHELL) & where.inside
        regularised = weight + torch.where(applies, added, 0)
    floor = _weight_floor(regularised, where)
    quotient = data / regularised.clamp_min(floor)
    inside = where.inside
    if keep_edge:
        inside = where.radii.square() <= nearest(where.lattice.r_max * where.lattice.padding) ** 2
    return torch.where(inside & (floor > 0), quotient, 0)


def _weight_floor(weight: Tensor, where: ShellMap) -> Tensor:
    """(mean of the weight in floor-shells) / 1000 at every voxel."""
    rings = (where.radii / where.lattice.padding).floor().long().clamp_max(where.n_shells - 1)
    inside = where.inside
    sums = torch.zeros(where.n_shells, dtype=torch.float64)
    sums.index_add_(0, rings[inside], weight[inside])
    counts = torch.bincount(rings[inside], minlength=where.n_shells)
    means = sums / counts.clamp_min(1)
    last = max(0, where.lattice.r_max - 1)
    return means[rings.clamp_max(last)] / WEIGHT_FLOOR
