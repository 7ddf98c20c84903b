"""Odd aberrations, beam tilt among them, from sums over the particles of an optics group (§10.11.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band
from verglas.ctf.refinement.zernike_fit import PhaseSums, ZernikeFit, fit_coefficients
from verglas.optics.aberrations import split_beam_tilt, tilt_strength
from verglas.optics.zernike import odd_basis


@dataclass(frozen=True, eq=False)
class OddSums(PhaseSums):
    """q = Σ c conj(P) X and w = Σ c²|P|² at each pixel over n particles, whose images' power is known, too."""

    product: Tensor  # (P,) complex128
    power: Tensor  # (P,) float64
    observed: float  # mean over the pixels of Σ |X|²
    particles: float

    @classmethod
    def of(cls, observed: Tensor, predicted: Tensor, transfer: Tensor) -> OddSums:
        """Of X and P (n, P) complex64 and c (n, P)."""
        model = predicted * transfer
        product = (model.conj() * observed).sum(0).to(torch.complex128)
        power = torch.view_as_real(model).square().sum((0, 2)).double()
        seen = torch.linalg.vector_norm(torch.view_as_real(observed), dtype=torch.float64)
        return cls(product, power, float(seen.square()) / len(product), float(len(observed)))

    def __add__(self, other: OddSums) -> OddSums:
        return OddSums(
            self.product + other.product,
            self.power + other.power,
            self.observed + other.observed,
            self.particles + other.particles,
        )

    @property
    def phases(self) -> Tensor:
        """The phase (P,) of each pixel by itself."""
        return self.product.angle()

    def strength(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        return self._turned(delta).real, self.power

    def slope(self, delta: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        turned = self._turned(delta)
        return turned.real, turned.imag, scale * self.power

    def noise(self, delta: Tensor, scale: Tensor) -> Tensor:
        model = scale**2 * self.power - 2 * scale * self._turned(delta).real
        variance = max(self.observed + float(model.mean()), 0.0) / self.particles
        return variance / (2 * scale)

    def _turned(self, delta: Tensor) -> Tensor:
        return self.product * torch.polar(torch.ones_like(delta), -delta)


@dataclass(frozen=True)
class OddAberrations:
    """What goes into an optics group, and what was seen and fitted, for the plots."""

    beam_tilt_mrad: tuple[float, float]
    tilt_error_mrad: tuple[float, float]
    coefficients: tuple[float, ...]  # without coma; empty: only the tilt was fitted
    errors: tuple[float, ...]
    phase: Tensor  # (P,) fitted; that of a shift of the images included


def fit_odd(
    sums: OddSums, band: Band, true_yx: Tensor, weights: Tensor, degree: int, voltage_kv: float, cs_mm: float
) -> OddAberrations:
    """Odd aberrations up to a degree (3: trefoil); below 3 only the tilt, beside a shift of all images.

    ValueError without spherical aberration: there is no tilt then.
    """
    strength = tilt_strength(voltage_kv, cs_mm)
    if strength == 0:
        raise ValueError("beam tilt cannot be told without spherical aberration (it is 0)")
    if degree < 3:
        fit = _tilt_alone(sums, band, true_yx, weights)
        tilt, errors = -fit.coefficients[2:] / strength, fit.errors[2:] / strength
        return OddAberrations(_pair(tilt), _pair(errors), (), (), fit.phase)
    basis = odd_basis(odd_count(degree), true_yx.double())
    fit = fit_coefficients(sums, basis, weights, band)
    tilt_xy, rest = split_beam_tilt(fit.coefficients.tolist(), voltage_kv, cs_mm)
    error = fit.errors[[4, 3]] * 3 / strength
    return OddAberrations(tilt_xy, _pair(error), rest, tuple(fit.errors.tolist()), fit.phase)


def _tilt_alone(sums: OddSums, band: Band, true_yx: Tensor, weights: Tensor) -> ZernikeFit:
    y, x = true_yx.double().unbind(-1)
    squared = x * x + y * y
    return fit_coefficients(sums, torch.stack([x, y, x * squared, y * squared], -1), weights, band)


def odd_count(degree: int) -> int:
    """Odd polynomials up to a degree: 2, 6, 12 for 1, 3, 5."""
    half = (degree - 1) // 2 + 1
    return half * half + half


def _pair(values: Tensor) -> tuple[float, float]:
    return float(values[0]), float(values[1])
