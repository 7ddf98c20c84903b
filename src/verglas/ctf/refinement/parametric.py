"""Fits of θ to the particles of a micrograph, some of it for each particle and some in common.

    E = Σ_particles Σ_k a c² − 2 b c,   a = W |P|²,   b = W Re(X conj P)         (refinement.md §10.11.1)

Levenberg-Marquardt steps with the curvature Σ a ∂c ∂c^T, from products of matrices (pixels by pairs of
terms). What is common to a micrograph is solved for first, the particles' own parts being eliminated from
the normal equations. The first stage takes the inner frequencies only, where phases cannot be a turn off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band
from verglas.ctf.refinement.terms import N_PHASE, N_TERMS, TermBasis

_INNER = 0.6  # of the largest radius
_FIRST_DAMPING, _MOST_DAMPING = 1e-3, 1e6


@dataclass(frozen=True)
class FreeTerms:
    """Which of the seven terms are fitted for each particle, and which in common to the micrograph."""

    particle: tuple[int, ...] = ()
    micrograph: tuple[int, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.particle or self.micrograph)


@dataclass(frozen=True, eq=False)
class Weighted:
    """a and b (n, P) float32, pixels in order of their radius."""

    a: Tensor
    b: Tensor

    @classmethod
    def of(cls, observed: Tensor, predicted: Tensor, weights: Tensor) -> Weighted:
        """From X and P (n, P), complex, and weights (P,) of which those of 0 leave nothing."""
        w = weights.float()
        squared = predicted.real.square() + predicted.imag.square()
        product = observed.real * predicted.real + observed.imag * predicted.imag
        return cls(squared.mul_(w), product.mul_(w))

    def of_pixels(self, pixels: Tensor) -> Weighted:
        return Weighted(self.a[:, pixels], self.b[:, pixels])

    def of_rows(self, rows: Tensor) -> Weighted:
        return Weighted(self.a[rows], self.b[rows])


@dataclass(frozen=True)
class Fitted:
    """θ (n, 7), and which particles' steps came to an end."""

    theta: Tensor
    converged: Tensor


def fit_terms(
    data: Weighted,
    basis: TermBasis,
    start: Tensor,
    free: FreeTerms,
    band: Band,
    *,
    iterations: int = 100,
    tolerance: float = 2e-3,
) -> Fitted:
    """θ of the least E from `start` (n, 7), the inner pixels first.

    Terms common to the micrograph begin at their mean. A fit ends with a step that changes no phase by `tolerance`
    radians (RMS over the pixels): the next one would change far less.
    """
    theta = start.clone()
    for index in free.micrograph:
        theta[:, index] = theta[:, index].mean()
    inner = band.within(_INNER).nonzero().flatten()
    first = _Solver(data.of_pixels(inner), basis.of_pixels(inner), free)
    scaled, _ = first.solve(theta * basis.scales, iterations, 10 * tolerance)
    scaled, converged = _Solver(data, basis, free).solve(scaled, iterations, tolerance)
    fitted = list(free.particle + free.micrograph)
    theta[:, fitted] = (scaled / basis.scales)[:, fitted]  # the others to the last digit as they were
    return Fitted(theta, converged)


@dataclass(eq=False)
class _Equations:
    """E (n,), and gradient (n, 7) and curvature (n, 7, 7) of E/2 by scaled terms; float64."""

    energy: Tensor
    gradient: Tensor
    curvature: Tensor

    def of_rows(self, rows: Tensor) -> _Equations:
        return _Equations(self.energy[rows], self.gradient[rows], self.curvature[rows])

    def replace(self, rows: Tensor, other: _Equations, chosen: Tensor) -> None:
        """Take those of `other` that are `chosen` (bool) as rows."""
        self.energy[rows] = other.energy[chosen]
        self.gradient[rows] = other.gradient[chosen]
        self.curvature[rows] = other.curvature[chosen]


@dataclass(frozen=True, eq=False)
class _Solver:
    data: Weighted
    basis: TermBasis
    free: FreeTerms

    def solve(self, scaled: Tensor, iterations: int, tolerance: float) -> tuple[Tensor, Tensor]:
        """Particles that have nothing in common are given up one by one as they are done."""
        alone = not self.free.micrograph
        current, active = scaled.clone(), torch.arange(len(scaled))
        part = self
        damping = torch.full((len(scaled),), _FIRST_DAMPING, dtype=torch.float64)
        now = part.equations(current)
        converged = torch.zeros(len(scaled), dtype=torch.bool)
        for _ in range(iterations):
            here = now if len(active) == len(current) else now.of_rows(active)
            step = part.step(here, damping[active])
            small = step.abs().amax(1) < tolerance
            ends = small if alone else small.all().expand_as(small)
            if bool(ends.any()):  # what is so small needs no second look
                current[active[ends]] += step[ends]
                converged[active[ends]] = True
            going = ~ends & (damping[active] < _MOST_DAMPING)
            if not bool(going.any()):
                break
            if not bool(going.all()):
                active, step, here = active[going], step[going], here.of_rows(going)
                part = replace(self, data=self.data.of_rows(active))
            tried = current[active] + step
            after = part.equations(tried)
            better = _not_above(after.energy, here.energy)
            if not alone:
                better = _not_above(after.energy.sum(), here.energy.sum()).expand_as(better)
            rows = active[better]
            current[rows] = tried[better]
            now.replace(rows, after, better)
            damping[rows] *= 0.1
            damping[active[~better]] *= 10
        return current, converged

    def step(self, here: _Equations, damping: Tensor) -> Tensor:
        """The damped step (n, 7) of the free terms."""
        gradient, curvature = here.gradient, here.curvature
        own, common = list(self.free.particle), list(self.free.micrograph)
        step = torch.zeros_like(gradient)
        if not common:
            step[:, own] = _solved(_damped(curvature[:, own][:, :, own], damping), -gradient[:, own])
            return step
        shared, right = curvature[:, common][:, :, common], -gradient[:, common]
        shared = _damped(shared.sum(0), damping[0])
        total = right.sum(0)
        if not own:
            step[:, common] = _solved(shared, total)
            return step
        block = _damped(curvature[:, own][:, :, own], damping)
        mixed = curvature[:, own][:, :, common]
        inverse = torch.linalg.inv(block)
        shared = shared - (mixed.mT @ inverse @ mixed).sum(0)
        total = total - (mixed.mT @ (inverse @ -gradient[:, own, None])).sum((0, 2))
        found = _solved(shared, total)
        step[:, common] = found
        step[:, own] = (inverse @ (-gradient[:, own] - mixed @ found)[..., None])[..., 0]
        return step

    def equations(self, scaled: Tensor) -> _Equations:
        """With s = e^α sin γ and t = e^α cos γ: ∂c is −t times a column of the first five terms, −s of the others.

        E = Σ a s² + 2 b s; its halved gradient is Σ (a s + b) ∂s, the curvature Σ a ∂s ∂s^T.
        """
        a, b, columns, n = self.data.a, self.data.b, self.basis.columns, len(scaled)
        gamma = self.basis.phase(scaled)
        sin, cos = gamma.sin(), gamma.cos_()
        if self.basis.is_damped(scaled):
            amplitude = self.basis.amplitude(scaled)
            sin, cos = sin.mul_(amplitude), cos.mul_(amplitude)
        weighted = a * cos
        residual = torch.addcmul(b, a, sin)
        energy = (torch.linalg.vecdot(residual, sin) + torch.linalg.vecdot(b, sin)).double()
        phase, damped = self._columns(0, N_PHASE), self._columns(N_PHASE, N_TERMS)
        gradient = torch.zeros(n, N_TERMS, dtype=torch.float64)
        curvature = torch.zeros(n, N_TERMS, N_TERMS, dtype=torch.float64)
        if damped:
            gradient[:, damped] = ((residual * sin) @ columns[:, damped]).double()
            mixed = _products(weighted * sin, columns[:, phase], columns[:, damped])
            _put(curvature, phase, damped, mixed)
            _put(curvature, damped, phase, mixed.mT)
            own = _products(a * sin * sin, columns[:, damped], columns[:, damped])
            _put(curvature, damped, damped, own)
        gradient[:, phase] = (residual.mul_(cos) @ columns[:, phase]).double()
        _put(curvature, phase, phase, _products(weighted.mul_(cos), columns[:, phase], columns[:, phase]))
        return _Equations(energy, gradient, curvature)

    def _columns(self, begin: int, end: int) -> list[int]:
        """Free terms within a range."""
        return sorted(index for index in self.free.particle + self.free.micrograph if begin <= index < end)


def _not_above(after: Tensor, before: Tensor) -> Tensor:
    """Whether E has not grown, but for rounding."""
    return after <= before + 1e-6 * before.abs()


def _put(curvature: Tensor, rows: list[int], columns: list[int], values: Tensor) -> None:
    curvature[:, torch.tensor(rows)[:, None], torch.tensor(columns)] = values


def _products(weights: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Σ_k w f g (n, i, j) float64 for columns f (P, i) and g (P, j)."""
    pairs = (left[:, :, None] * right[:, None, :]).flatten(1)
    return (weights @ pairs).double().unflatten(1, (left.shape[1], right.shape[1]))  # type: ignore[no-untyped-call]


def _damped(curvature: Tensor, damping: Tensor) -> Tensor:
    """The curvature with its diagonal increased; never singular."""
    diagonal = curvature.diagonal(dim1=-2, dim2=-1)
    floor = 1e-12 * diagonal.amax(-1, keepdim=True).clamp_min(1e-30)
    return curvature + torch.diag_embed(diagonal * damping[..., None] + floor)


def _solved(matrices: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.solve(matrices, right[..., None])[..., 0]
