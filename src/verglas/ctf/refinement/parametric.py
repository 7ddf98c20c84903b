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

from verglas.ctf.refinement.terms import N_PHASE, N_TERMS, TermBasis

_STAGES = (0.6, 1.0)  # of the largest radius
_FIRST_DAMPING, _MOST_DAMPING = 1e-3, 1e6
_PAIRS = torch.triu_indices(N_TERMS, N_TERMS)


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

    def first(self, count: int) -> Weighted:
        return Weighted(self.a[:, :count], self.b[:, :count])

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
    counts: tuple[int, ...],
    *,
    iterations: int = 100,
    tolerance: float = 1e-4,
) -> Fitted:
    """θ of the least E from `start` (n, 7), in stages of the first `counts` pixels.

    Terms common to the micrograph begin at their mean. A fit ends when no phase changes by `tolerance`
    radians (RMS over the pixels) any more.
    """
    theta = start.clone()
    for index in free.micrograph:
        theta[:, index] = theta[:, index].mean()
    scaled = theta * basis.scales
    converged = torch.zeros(len(theta), dtype=torch.bool)
    for count in counts:
        solver = _Solver(data.first(count), basis.first(count), free)
        scaled, converged = solver.solve(scaled, iterations, tolerance)
    fitted = list(free.particle + free.micrograph)
    theta[:, fitted] = (scaled / basis.scales)[:, fitted]  # the others to the last digit as they were
    return Fitted(theta, converged)


def stages(first: object) -> tuple[int, ...]:
    """Numbers of pixels of the stages; `first` maps a share of the radius to a number."""
    return tuple(first(share) for share in _STAGES)  # type: ignore[operator]


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
        energy = part.energies(current)
        converged = torch.zeros(len(scaled), dtype=torch.bool)
        for _ in range(iterations):
            step = part.step(current[active], damping[active])
            tried = current[active] + step
            after = part.energies(tried)
            better = after <= energy[active] + 1e-7 * energy[active].abs()
            if not alone:
                better = torch.full_like(
                    better, bool(after.sum() <= energy.sum() + 1e-7 * energy.sum().abs())
                )
            small = step.abs().amax(1) < tolerance
            rows = active[better]
            current[rows], energy[rows] = tried[better], after[better]
            damping[rows] *= 0.1
            damping[active[~better]] *= 10
            done = small | (damping[active] > _MOST_DAMPING)
            if not alone:
                done = torch.full_like(done, bool(done.all()))
            converged[active[done & small]] = True
            if bool(done.all()):
                break
            if alone and bool(done.any()):
                active = active[~done]
                part = replace(self, data=self.data.of_rows(active))
        return current, converged

    def energies(self, scaled: Tensor) -> Tensor:
        """E (n,) of each particle, float64."""
        c = self.basis.phase(scaled).sin_().mul_(self.basis.amplitude(scaled)).neg_()
        return (self.data.a * c).sub_(self.data.b, alpha=2).mul_(c).sum(1, dtype=torch.float64)

    def step(self, scaled: Tensor, damping: Tensor) -> Tensor:
        """The damped step (n, 7) of the free terms."""
        gradient, curvature = self._normal_equations(scaled)
        own, common = list(self.free.particle), list(self.free.micrograph)
        step = torch.zeros_like(scaled)
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

    def _normal_equations(self, scaled: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient (n, 7) and curvature (n, 7, 7) of E/2, float64.

        ∂c/∂θ is −e^α cos γ times a column for the first five terms, c times a column for the others.
        """
        gamma, amplitude = self.basis.phase(scaled), self.basis.amplitude(scaled)
        slope = gamma.cos().mul_(amplitude).neg_()
        c = gamma.sin_().mul_(amplitude).neg_()
        residual = (self.data.a * c).sub_(self.data.b)
        columns, n = self.basis.columns, len(scaled)
        phase, damped = columns[:, :N_PHASE], columns[:, N_PHASE:]
        use_damping = any(index >= N_PHASE for index in self.free.particle + self.free.micrograph)
        gradient = torch.zeros(n, N_TERMS, dtype=torch.float64)
        gradient[:, :N_PHASE] = ((residual * slope) @ phase).double()
        curvature = torch.zeros(n, N_TERMS, N_TERMS, dtype=torch.float64)
        weighted = self.data.a * slope
        curvature[:, :N_PHASE, :N_PHASE] = _products(weighted * slope, phase, phase)
        if use_damping:
            gradient[:, N_PHASE:] = ((residual * c) @ damped).double()
            mixed = _products(weighted * c, phase, damped)
            curvature[:, :N_PHASE, N_PHASE:] = mixed
            curvature[:, N_PHASE:, :N_PHASE] = mixed.mT
            curvature[:, N_PHASE:, N_PHASE:] = _products(self.data.a * c * c, damped, damped)
        return gradient, curvature


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
