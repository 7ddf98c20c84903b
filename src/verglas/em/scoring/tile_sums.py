"""Adding a tile's posterior to the sums (refinement.md §2.9, §11.2): products with sparse weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from verglas.compute.gemm import product
from verglas.em.accumulate.outcome import Outcome
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.operands import Operands
from verglas.em.operands.retry import Additions
from verglas.em.operands.slices import Slices, SliceSums, shifted
from verglas.em.poses.helix import across_squared
from verglas.em.scoring.tile import FineBatch, TileResult
from verglas.em.state.sums import PriorSums

SMALL_SHARE = 0.7  # leave out unused rows and columns when fewer than this share are used


def accumulate(
    operands: Operands,
    result: TileResult,
    sums: SliceSums,
    priors: PriorSums,
    batch: FineBatch,
    additions: Additions,
) -> Outcome:
    """Add a tile's back-projections to `sums` and its counts to `priors`; what its particles showed.

    `sums` are those of all fine slices where these are kept, else those of the tile's columns.
    """
    tile, kept = result.tile, operands.fine is not None
    gamma, places, slices = _trimmed(result)
    columns = tile.columns[places]
    per_slice = gamma.sum(1)  # (m, O'')
    residual, scale_sums = _residuals(operands, result, gamma, per_slice, columns, slices, batch)
    spectra = sums_by_shell(residual, operands.pixels.model_shells, operands.estep.model.n_shells)
    counts = _prior_sums(operands, result, gamma, columns, batch)
    projected = list(_back_projections(operands, result, sums, gamma, per_slice, batch))
    additions.begin()
    for half, data, weight in projected:
        sums.add(half, columns if kept else places, data, weight)
    priors.add(counts)
    posterior, n = result.posterior, tile.columns.numel()
    return Outcome(
        tile.columns[posterior.best % n],
        tile.fine_shifts[posterior.best // n],
        posterior.p_max,
        posterior.log_sum,
        per_slice.sum(1),
        spectra,
        scale_sums,
    )


def _trimmed(result: TileResult) -> tuple[Tensor, Tensor, Slices]:
    """gamma (m, T', O'') with its used columns only, their places in the tile and their slices."""
    gamma = result.posterior.gamma
    used = gamma.flatten(0, 1).any(0)
    if int(used.sum()) >= SMALL_SHARE * used.numel():
        return gamma, torch.arange(used.numel(), device=used.device), result.slices
    chosen = used.nonzero().flatten()
    return gamma[:, :, chosen], chosen, result.slices.select(chosen)


def _back_projections(
    operands: Operands,
    result: TileResult,
    sums: SliceSums,
    gamma: Tensor,
    per_slice: Tensor,
    batch: FineBatch,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Half, Σ Γ Y°_t (o, 2P) and Σ Γ V (o, P) for every pseudo-half-set."""
    m, t, o = gamma.shape
    images = result.images
    moved = shifted(images.back[:, 1:], operands.phases_of(result.tile.fine_shifts)).view(m, t, -1)
    n = moved.shape[-1] // 2
    origin = torch.view_as_real(images.back[:, 0])
    halves = batch.halves[result.tile.particles]
    for half in range(sums.data.shape[0]):
        whole = sums.data.shape[0] == 1
        chosen = slice(None) if whole else (halves == half).nonzero().flatten()
        weights, rows = gamma[chosen], moved[chosen]
        data = product(weights.reshape(-1, o).mT, rows.reshape(-1, rows.shape[-1]).mT)
        at_origin = product(per_slice[chosen].mT, origin[chosen].mT)
        weight = product(per_slice[chosen].mT, images.back_power[chosen].mT)
        parts = [at_origin[:, :1], data[:, :n], at_origin[:, 1:], data[:, n:]]
        yield half, torch.cat(parts, 1), weight


def _prior_sums(
    operands: Operands, result: TileResult, gamma: Tensor, columns: Tensor, batch: FineBatch
) -> PriorSums:
    """Counts per class and direction, and moments of the offsets."""
    grid, k = operands.poses, operands.estep.model.n_classes
    tile, device = result.tile, gamma.device
    klass = columns // (grid.n_orientations * grid.children)
    orientation = (columns // grid.children) % grid.n_orientations
    where = klass * grid.n_directions + grid.direction.to(device)[orientation]
    directions = torch.zeros(k * grid.n_directions, dtype=torch.float64, device=device)
    directions.index_add_(0, where, gamma.sum((0, 1)).double())
    per_class = gamma.new_zeros((*gamma.shape[:2], k)).index_add_(2, klass, gamma).double()
    moves = grid.fine_shifts_angst.to(device)[tile.fine_shifts]
    absolute = batch.old_shift.to(device)[tile.particles][:, None] + moves  # (m, T', 2)
    offsets = torch.einsum("mtk,mtd->kd", per_class, absolute)
    axes = batch.axes.to(device)[tile.particles][:, None, None]
    away = across_squared(absolute[:, :, None] - batch.centres.to(device), axes)
    variance = (per_class * away).sum()[None]
    return PriorSums(per_class.sum((0, 1)).cpu(), directions.cpu(), offsets.cpu(), variance.cpu())


def _residuals(
    operands: Operands,
    result: TileResult,
    gamma: Tensor,
    per_slice: Tensor,
    columns: Tensor,
    slices: Slices,
    batch: FineBatch,
) -> tuple[Tensor, Tensor]:
    """Σ w |S C P - X_t|² (m, P), and the sums of the scale correction (m, 2)."""
    images, flat = result.images, gamma.flatten(0, 1)
    cross = _cross(images.score, result.shifted, flat, per_slice, slices)
    power = images.score_power * product(per_slice, slices.power.mT)
    residual = images.noise_power * (power - 2 * cross)
    residual += images.image_power * per_slice.sum(1)[:, None]
    n = batch.marks.shape[1]
    if n == 0:
        return residual, residual.new_zeros((len(residual), 2))
    klass = columns // (operands.poses.n_orientations * operands.poses.children)
    marks = batch.marks[klass].to(slices.rows.dtype)
    half = slices.rows.shape[1] // 2
    rows = torch.cat([slices.rows[:, : n - 1], slices.rows[:, half : half + n - 1]], 1)
    marked = Slices(
        rows * marks[:, 1:].repeat(1, 2), slices.origin * marks[:, :1], slices.power[:, :n] * marks
    )
    noise = images.noise_power[:, :n]
    low = _cross(images.score[:, :n], result.shifted, flat, per_slice, marked)
    low_power = images.score_power[:, :n] * product(per_slice, marked.power.mT)
    return residual, torch.stack([(noise * low).sum(1), (noise * low_power).sum(1)], 1)


def _cross(score: Tensor, moved: Tensor, gamma: Tensor, per_slice: Tensor, slices: Slices) -> Tensor:
    """Σ_t,o Γ Re(conj(Y_t) P_o) per particle and pixel: (m, P); the slices may be shorter than the rows."""
    m, n = score.shape[0], slices.rows.shape[1] // 2
    t = len(gamma) // m
    predicted = product(gamma, slices.rows.mT).view(m, t, 2, n)
    agreed = (predicted * moved.view(m, t, 2, -1)[..., :n]).sum((1, 2))
    at_origin = (torch.view_as_real(score[:, 0]) * product(per_slice, slices.origin.mT)).sum(1)
    return torch.cat([at_origin[:, None], agreed], 1)
