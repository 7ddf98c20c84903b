"""Even aberrations (fourth order and what mixes with it) from sums over an optics group (§10.11.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band
from verglas.ctf.refinement.zernike_fit import PhaseSums, ZernikeFit, fit_coefficients
from verglas.optics.zernike import even_basis


@dataclass(frozen=True, eq=False)
class EvenSums(PhaseSums):
    """Normal equations of e = (cos δ, sin δ) at each pixel: c = −sin(γ + δ), γ without even aberrations.

    A = Σ|P|² [[sin²γ, sinγ cosγ], [., cos²γ]] and b = −Σ Re(X conj P)(sin γ, cos γ), amplitudes in P.
    """

    matrix: Tensor  # (3, P) float64: xx, xy, yy
    right: Tensor  # (2, P) float64
    observed: float  # mean over the pixels of Σ |X|²
    particles: float

    @classmethod
    def of(cls, observed: Tensor, predicted: Tensor, phase: Tensor, amplitude: Tensor) -> EvenSums:
        """Of X and P (n, P) complex64 (odd aberrations in both or in neither), γ (n, P), its amplitude."""
        sin, cos = phase.sin() * amplitude, phase.cos() * amplitude
        flat = torch.view_as_real(predicted)
        squared = flat.square().sum(-1)
        product = (flat * torch.view_as_real(observed)).sum(-1)
        by_sin, by_cos = squared * sin, squared * cos
        pairs = ((by_sin, sin), (by_sin, cos), (by_cos, cos))
        matrix = torch.stack([(one * other).sum(0).double() for one, other in pairs])
        right = torch.stack([-(product * each).sum(0).double() for each in (sin, cos)])
        seen = torch.linalg.vector_norm(torch.view_as_real(observed), dtype=torch.float64)
        return cls(matrix, right, float(seen.square()) / observed.shape[1], float(len(observed)))

    def __add__(self, other: EvenSums) -> EvenSums:
        return EvenSums(
            self.matrix + other.matrix,
            self.right + other.right,
            self.observed + other.observed,
            self.particles + other.particles,
        )

    @property
    def phases(self) -> Tensor:
        """The phase δ (P,) of each pixel by itself."""
        xx, xy, yy = self.matrix
        determinant = (xx * yy - xy * xy).clamp_min(1e-300)
        x = (yy * self.right[0] - xy * self.right[1]) / determinant
        y = (xx * self.right[1] - xy * self.right[0]) / determinant
        return torch.atan2(y, x)

    def strength(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        e = _unit(delta)
        return (self.right * e).sum(0), self._form(e, e)

    def slope(self, delta: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        e = _unit(delta)
        across = torch.stack([-e[1], e[0]])
        value = 2 * (self.right * e).sum(0) - scale * self._form(e, e)
        slope = 2 * (self.right * across).sum(0) - 2 * scale * self._form(e, across)
        return value, slope, 2 * scale * self._form(across, across)

    def noise(self, delta: Tensor, scale: Tensor) -> Tensor:
        value, _, _ = self.slope(delta, scale)
        return max(self.observed - float((scale * value).mean()), 0.0) / self.particles / scale

    def _form(self, one: Tensor, other: Tensor) -> Tensor:
        xx, xy, yy = self.matrix
        return xx * one[0] * other[0] + xy * (one[0] * other[1] + one[1] * other[0]) + yy * one[1] * other[1]


def fit_even(sums: EvenSums, band: Band, true_yx: Tensor, weights: Tensor, degree: int) -> ZernikeFit:
    """Even coefficients up to a degree (4: spherical aberration, tetrafoil), with lower ones.

    Whole turns of all phases mean nothing: of the constants the one with the least mean phase is taken.
    """
    found = fit_coefficients(sums, even_basis(even_count(degree), true_yx.double()), weights, band)
    turns = 2 * torch.pi * (found.phase[weights > 0].mean() / (2 * torch.pi)).round()
    coefficients = found.coefficients.clone()
    coefficients[0] -= turns
    return ZernikeFit(coefficients, found.errors, found.phase - turns)


def even_count(degree: int) -> int:
    """Even polynomials up to a degree: 1, 4, 9, 16 for 0, 2, 4, 6."""
    return (degree // 2 + 1) ** 2


def _unit(delta: Tensor) -> Tensor:
    return torch.stack([delta.cos(), delta.sin()])
