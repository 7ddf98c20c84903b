"""Coefficients of aberrations from sums over particles, pixel by pixel (refinement.md §10.11.3).

Both kinds of sums are the likelihood of one phase per pixel up to a constant. Their coefficients are found on
the sums themselves, never on phases that were read off them: there is nothing to unwrap. The fit starts with
the inner frequencies, where phases are small, and goes outward.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band

_SHARES = (0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.93, 1.0)  # of the largest radius
_ITERATIONS, _ROUNDS, _SMALL, _LEAST_SCALE = 50, 2, 1e-7, 1e-3


class PhaseSums(ABC):
    """Sums whose likelihood depends on a phase δ at each of P pixels, and on how strong the signal is."""

    @abstractmethod
    def strength(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """At phases (P,): the images' agreement with the predictions, and the predictions' with themselves."""

    @abstractmethod
    def slope(self, delta: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """At phases (P,): the likelihood of each pixel, its derivative by δ, its curvature (not negative).

        Predictions are multiplied by `scale` (P,). The likelihood is the logarithm times the noise over
        `scale`: where predictions hold noise that the images do not, `scale` falls as the FSC does, and
        that is among the weights already.
        """

    @abstractmethod
    def noise(self, delta: Tensor, scale: Tensor) -> Tensor:
        """The variance (P,) that noise gives the slope, in units of the curvature."""

    def scale(self, delta: Tensor, shells: Tensor) -> Tensor:
        """By what predictions must be multiplied to be as strong as the images, (P,), the same in a shell.

        An amplitude that is wrong by a function of the radius would look like a phase where few particles
        have their zeros elsewhere.
        """
        length = int(shells.max()) + 1
        seen, own = (
            torch.zeros(length, dtype=torch.float64).index_add_(0, shells, row)
            for row in self.strength(delta)
        )
        return (seen / own.clamp_min(1e-300)).clamp_min(_LEAST_SCALE)[shells]


@dataclass(frozen=True)
class ZernikeFit:
    """Coefficients with their standard errors, and the phase (P,) that they make."""

    coefficients: Tensor
    errors: Tensor
    phase: Tensor


def fit_coefficients(sums: PhaseSums, basis: Tensor, weights: Tensor, band: Band) -> ZernikeFit:
    """Coefficients (K,) of basis functions (P, K) that make the weighted likelihood largest.

    What the inner pixels cannot tell apart stays small until the outer ones can.
    """
    scales = basis[weights > 0].square().mean(0).sqrt().clamp_min(1e-300)
    columns = basis / scales
    found = torch.zeros(basis.shape[1], dtype=torch.float64)
    shells = band.radius.round().long()
    for used in _growing(weights, band, len(found)):
        for _ in range(_ROUNDS):
            scale = sums.scale(columns @ found, shells)
            found = _climbed(sums, columns, used, found, scale)
    phase = columns @ found
    errors = _errors(sums, columns, weights, phase, sums.scale(phase, shells))
    return ZernikeFit(found / scales, errors / scales, phase)


def _growing(weights: Tensor, band: Band, unknowns: int) -> Iterator[Tensor]:
    """Weights (P,) of more and more pixels, none without enough of them."""
    for share in _SHARES:
        used = torch.where(band.within(share), weights, 0.0)
        if share == 1 or int((used > 0).sum()) > 4 * unknowns:
            yield used


def _climbed(sums: PhaseSums, columns: Tensor, used: Tensor, start: Tensor, scale: Tensor) -> Tensor:
    """The maximum near `start` with weights (P,)."""
    found, damping = start, 1e-3
    value, gradient, curvature = _equations(sums, columns, used, found, scale)
    for _ in range(_ITERATIONS):
        diagonal = curvature.diagonal()
        floor = 1e-9 * diagonal.amax().clamp_min(1e-300)
        step = torch.linalg.solve(curvature + torch.diag(diagonal * damping + floor), gradient)
        tried = _equations(sums, columns, used, found + step, scale)
        if tried[0] >= value:
            found, damping = found + step, damping / 10
            value, gradient, curvature = tried
        else:
            damping *= 10
        if float(step.abs().max()) < _SMALL or damping > 1e8:
            break
    return found


def _equations(
    sums: PhaseSums, columns: Tensor, weights: Tensor, found: Tensor, scale: Tensor
) -> tuple[float, Tensor, Tensor]:
    value, slope, curvature = sums.slope(columns @ found, scale)
    matrix = columns.T @ (columns * (weights * curvature)[:, None])
    return float((weights * value).sum()), columns.T @ (weights * slope), matrix


def _errors(sums: PhaseSums, columns: Tensor, weights: Tensor, phase: Tensor, scale: Tensor) -> Tensor:
    """Standard errors (K,): the inverse of the curvature, for weights that are not those of the noise."""
    _, _, curvature = sums.slope(phase, scale)
    matrix = columns.T @ (columns * (weights * curvature)[:, None])
    variance = weights.square() * curvature * sums.noise(phase, scale)
    spread = columns.T @ (columns * variance[:, None])
    inverse = torch.linalg.pinv(matrix, hermitian=True)
    return (inverse @ spread @ inverse).diagonal().clamp_min(0).sqrt()
