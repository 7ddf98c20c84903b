"""Adding a tile's posterior to the sums (refinement.md §2.9, §11.2): products with sparse weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.compute.gemm import product
from verglas.em.fine import TileResult
from verglas.em.plan import Plan
from verglas.em.slices import Slices, SliceSums

SMALL_SHARE = 0.7  # leave out unused rows and columns when fewer than this share are used


@dataclass(frozen=True)
class Residuals:
    """Per particle: what the posterior-mean prediction leaves unexplained."""

    power: Tensor  # (m, P) Σ w |S C P - X_t|²
    weight: Tensor  # (m,) Σ w, slightly below 1
    scale_cross: Tensor  # (m,) Σ w Re(conj(C P) X_t) over well-determined shells
    scale_power: Tensor  # (m,) Σ w C²|P|²


def _trimmed(result: TileResult) -> tuple[Tensor, Tensor, Tensor, Slices]:
    """gamma (m, T', O''), the used columns of it, their slice numbers and slices."""
    gamma, columns = result.posterior.gamma, result.tile.columns
    used = gamma.flatten(0, 1).any(0)
    if int(used.sum()) >= SMALL_SHARE * used.numel():
        everything = torch.arange(used.numel(), device=used.device)
        return gamma, everything, columns, result.slices
    chosen = used.nonzero().flatten()
    return gamma[:, :, chosen], chosen, columns[chosen], result.slices.select(chosen)


def accumulate(
    plan: Plan, result: TileResult, sums: SliceSums, halves: Tensor | None, well_determined: Tensor | None
) -> Residuals:  # fmt: skip
    """Add the tile's back-projections to `sums`; return the residuals of its particles.

    `halves` (m,): pseudo-half-set of each particle. `well_determined` (K, P) marks pixels of shells whose
    data outweigh the prior enough to take part in the scale correction; None: no scale correction.
    """
    gamma, _, columns, slices = _trimmed(result)
    per_slice = gamma.sum(1)  # (m, O'')
    _add_back_projection(plan, result, sums, gamma, per_slice, columns, halves)
    return _residuals(plan, result, gamma, per_slice, columns, slices, well_determined)


def _add_back_projection(
    plan: Plan, result: TileResult, sums: SliceSums, gamma: Tensor, per_slice: Tensor,
    columns: Tensor, halves: Tensor | None,
) -> None:  # fmt: skip
    m, t, o = gamma.shape
    images = result.images
    phases = plan.fine_phases
    if result.tile.fine_shifts.numel() != phases.shape[0]:
        phases = phases[result.tile.fine_shifts]
    shifted = torch.view_as_real(images.back[:, None, 1:] * phases).reshape(m, t, -1)
    origin = torch.view_as_real(images.back[:, 0])
    for half in range(sums.data.shape[0]):
        chosen = slice(None) if halves is None else (halves == half).nonzero().flatten()
        weights, rows = gamma[chosen], shifted[chosen]
        data = product(weights.reshape(-1, o).mT, rows.reshape(-1, rows.shape[-1]).mT)
        at_origin = product(per_slice[chosen].mT, origin[chosen].mT)
        weight = product(per_slice[chosen].mT, images.back_power[chosen].mT)
        sums.add(half, columns, torch.cat([at_origin, data], 1), weight)


def _residuals(
    plan: Plan, result: TileResult, gamma: Tensor, per_slice: Tensor, columns: Tensor,
    slices: Slices, well_determined: Tensor | None,
) -> Residuals:  # fmt: skip
    m, _, o = gamma.shape
    images = result.images
    flat = gamma.reshape(-1, o)
    cross = _cross(images.score, result.shifted, flat, per_slice, slices, slices.rows.shape[1])
    power = images.score_power * product(per_slice, slices.power.mT)
    residual = images.noise_power * (power - 2 * cross)
    accepted = per_slice.sum(1)
    residual += images.image_power * accepted[:, None]
    if well_determined is None:
        zero = residual.new_zeros(m)
        return Residuals(residual, accepted, zero, zero)
    klass = columns // (plan.grid.n_orientations * plan.grid.children)
    n = int(well_determined.any(0).nonzero().max()) + 1 if bool(well_determined.any()) else 0
    if n == 0:
        zero = residual.new_zeros(m)
        return Residuals(residual, accepted, zero, zero)
    marks = well_determined[klass, :n].to(slices.rows.dtype)
    marked = Slices(
        slices.rows[:, : 2 * n - 2] * marks[:, 1:].repeat_interleave(2, 1),
        slices.origin * marks[:, :1], slices.power[:, :n] * marks,
    )  # fmt: skip
    noise = images.noise_power[:, :n]
    low = _cross(images.score[:, :n], result.shifted, flat, per_slice, marked, 2 * n - 2)
    low_power = images.score_power[:, :n] * product(per_slice, marked.power.mT)
    return Residuals(residual, accepted, (noise * low).sum(1), (noise * low_power).sum(1))


def _cross(
    score: Tensor, shifted: Tensor, gamma: Tensor, per_slice: Tensor, slices: Slices, width: int
) -> Tensor:  # fmt: skip
    """Σ_t,o Γ Re(conj(Y_t) P_o) per particle and pixel: (m, P)."""
    m = score.shape[0]
    predicted = product(gamma, slices.rows[:, :width].mT)  # (m * T', width)
    agreed = (predicted * shifted[:, :width]).reshape(m, -1, width // 2, 2).sum((1, 3))
    at_origin = (torch.view_as_real(score[:, 0]) * product(per_slice, slices.origin.mT)).sum(1)
    return torch.cat([at_origin[:, None], agreed], 1)
