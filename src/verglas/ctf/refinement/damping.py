"""B-factor and scale of particles or micrographs from sums over shells (refinement.md §10.11.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band

_POINTS, _ZOOMS = 20, 5


@dataclass(frozen=True)
class DampingRange:
    """What B-factors (Å²) and scales are looked for."""

    least_b_a2: float = -30.0
    most_b_a2: float = 300.0
    least_scale: float = 0.2


@dataclass(frozen=True, eq=False)
class DampingSums:
    """t(r) = Σ W|cP|² and s(r) = Σ W Re(conj(cP) X) of n particles, (n, S) float64."""

    power: Tensor
    product: Tensor

    @classmethod
    def of(cls, a: Tensor, b: Tensor, transfer: Tensor, band: Band) -> DampingSums:
        """Of a and b (n, P) of `parametric.Weighted` and c (n, P) without damping."""
        shells = band.radius.round().long()
        length = int(shells.max()) + 1
        return cls(*(_by_shell(each, shells, length) for each in (a * transfer * transfer, b * transfer)))

    def joined(self) -> DampingSums:
        """One row for all particles."""
        return DampingSums(self.power.sum(0, keepdim=True), self.product.sum(0, keepdim=True))


def fit_damping(sums: DampingSums, extent_angst: float, within: DampingRange) -> tuple[Tensor, Tensor]:
    """B (n,) in Å², counted from the least one that is allowed, and scale (n,).

    The scan over B is narrowed to one step to either side five times; at each B the best scale is known.
    """
    squared = (torch.arange(sums.power.shape[1], dtype=torch.float64) / extent_angst).square()
    n = len(sums.power)
    low, high = torch.full((n,), within.least_b_a2), torch.full((n,), within.most_b_a2)
    low, high = low.double(), high.double()
    for _ in range(_ZOOMS):
        tried = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, _POINTS, dtype=torch.float64)
        cost, scale = _cost(sums, tried, squared, within.least_scale)
        best = cost.argmin(1, keepdim=True)
        found, factor = tried.gather(1, best)[:, 0], scale.gather(1, best)[:, 0]
        step = (high - low) / (_POINTS - 1)
        low = (found - step).clamp_min(within.least_b_a2)
        high = (found + step).clamp_max(within.most_b_a2)
    return found - within.least_b_a2, factor


def _cost(sums: DampingSums, b_a2: Tensor, squared: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Σ t a²β² − 2aβs at B (n, K), and the best a >= least; both (n, K)."""
    decay = torch.exp(-b_a2[..., None] / 4 * squared)
    power = (sums.power[:, None] * decay.square()).sum(-1)
    product = (sums.product[:, None] * decay).sum(-1)
    scale = (product / power.clamp_min(1e-300)).clamp_min(least)
    return power * scale.square() - 2 * scale * product, scale


def _by_shell(values: Tensor, shells: Tensor, length: int) -> Tensor:
    sums = torch.zeros(len(values), length, dtype=torch.float64)
    return sums.index_add_(1, shells, values.double())
