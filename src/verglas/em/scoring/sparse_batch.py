"""Second pass of particles with few significant poses as batched products over their hits (GPU).

A hit is a significant (particle, coarse pose) pair; its children are C orientations and 4 shifts (8 in
all in 2D). All hits of a chunk are gathered into small products, so that the work follows the number of
hits and not the rectangle of orientations and shifts that a tile spans. Same results as
`em/scoring/sparse_kernel.py` and `em/scoring/tile.py`; the order of additions into slices is the device's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.operands import Operands
from verglas.em.operands.retry import Additions
from verglas.em.operands.slices import Slices, SliceSums, shifted_each
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.helix import across_squared
from verglas.em.scoring.coarse import CoarsePass
from verglas.em.scoring.significance import RowWeights
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums

CHUNK_BYTES = 256 << 20  # of the shifted images of one chunk


@dataclass(frozen=True)
class Hits:
    """h significant coarse poses of m particles, in order of particle, and their children."""

    particle: Tensor  # (h,) row among the m particles
    place: Tensor  # (h,) number of the hit within its particle
    klass: Tensor  # (h,)
    orientation: Tensor  # (h,) coarse orientation within the class
    columns: Tensor  # (h, C) fine slice numbers
    shifts: Tensor  # (h, S) fine translations
    prior: Tensor  # (h,) log prior
    first: Tensor  # (m,) first hit of each particle


def batched_second_pass(
    operands: Operands,
    coarse: CoarsePass,
    rows: Tensor,
    images: Weighted,
    batch: FineBatch,
    slices: Slices,
    slice_of: Tensor,
    sums: list[SliceSums],
    priors: PriorSums,
    additions: Additions,
) -> Outcome:
    """Second pass of particles `rows` of a batch; arguments as of `sparse_second_pass`."""
    hits = _hits(operands, coarse, rows)
    mine, where = images.rows(rows), slice_of.to(rows.device)
    return _chunk(operands, hits, mine, batch, rows, slices, where, sums[0], priors, additions)


def chunks(operands: Operands, coarse: CoarsePass, rows: Tensor) -> Iterator[Tensor]:
    """Particles `rows` of a batch in runs whose hits fit into memory together (one particle at least)."""
    most = max(1, CHUNK_BYTES // (len(operands.pixels) * operands.poses.shift_children * 8))
    ends = coarse.n_significant[rows].cumsum(0).cpu()
    start, done = 0, 0
    while start < len(ends):
        stop = int(torch.searchsorted(ends, done + most, right=True))
        stop = max(stop, start + 1)
        yield rows[start:stop]
        start, done = stop, int(ends[stop - 1])


def _hits(operands: Operands, coarse: CoarsePass, rows: Tensor) -> Hits:
    particle, shift, column = coarse.hits(rows).nonzero().unbind(1)
    n, device = operands.poses.n_orientations, rows.device
    klass = column // n
    counts = torch.bincount(particle, minlength=len(rows))
    first = counts.cumsum(0) - counts
    children = torch.arange(operands.poses.children, device=device)
    moves = torch.arange(operands.poses.shift_children, device=device)
    prior = coarse.shift_prior[rows[particle], klass, shift] + operands.orientation_prior[column]
    if coarse.turn_prior is not None:
        prior = prior + coarse.turn_prior[rows[particle], column % n]
    return Hits(
        particle,
        torch.arange(len(particle), device=device) - first[particle],
        klass,
        column % n,
        column[:, None] * len(children) + children,
        shift[:, None] * len(moves) + moves,
        prior,
        first,
    )


def _chunk(
    operands: Operands,
    hits: Hits,
    images: Weighted,
    batch: FineBatch,
    rows: Tensor,
    slices: Slices,
    where: Tensor,
    sums: SliceSums,
    priors: PriorSums,
    additions: Additions,
) -> Outcome:
    numbers = where[hits.columns]
    references = slices.rows[numbers]  # (h, C, 2(P-1))
    power = slices.power[numbers]  # (h, C, P)
    phases = operands.fine_phases[hits.shifts]  # (h, S, 2, P-1)
    moved = shifted_each(images.score[hits.particle, 1:], phases)  # (h, S, 2(P-1))
    norm = torch.einsum("hp,hcp->hc", images.score_power[hits.particle, 1:], power[..., 1:])
    scores = moved @ references.mT - 0.5 * norm[:, None] + hits.prior[:, None, None]
    gamma, best, p_max, log_sum = _posterior(operands, hits, scores, len(rows))
    per_slice = gamma.sum(1)  # (h, C)
    spectra, scale_sums, accepted = _residuals(
        operands, hits, images, batch, gamma, per_slice, references, power, moved, slices.origin[numbers]
    )
    halves = batch.halves[rows]
    projected = list(_back_projections(hits, images, halves, gamma, per_slice, phases, where, sums))
    counts = _prior_sums(operands, hits, batch, rows, gamma)
    children = hits.columns.shape[1] * hits.shifts.shape[1]
    hit = hits.first + best // children
    child = best % children
    column = hits.columns[hit, child % hits.columns.shape[1]]
    shift = hits.shifts[hit, child // hits.columns.shape[1]]
    additions.begin()
    for half, columns, data, weight in projected:
        sums.add(half, columns, data, weight)
    priors.add(counts)
    return Outcome(column, shift, p_max, log_sum, accepted, spectra, scale_sums)


def _posterior(
    operands: Operands, hits: Hits, scores: Tensor, m: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalised, truncated weights (h, S, C); best child, its weight and the log sum per particle."""
    h, s, c = scores.shape
    most = int(hits.place.max()) + 1
    dense = scores.new_full((m, most, s * c), -torch.inf)
    dense[hits.particle, hits.place] = scores.reshape(h, -1)
    found = RowWeights.of(dense.view(m, -1), operands.estep.settings.adaptive_fraction)
    kept = found.truncated().view(m, most, s, c)[hits.particle, hits.place]
    return kept, found.best, found.p_max, found.log_sum


def _residuals(
    operands: Operands,
    hits: Hits,
    images: Weighted,
    batch: FineBatch,
    gamma: Tensor,
    per_slice: Tensor,
    references: Tensor,
    power: Tensor,
    moved: Tensor,
    origin: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Σ w |S C P - X_t|² per shell (m, S), the sums of the scale correction (m, 2), Σ w (m,)."""
    m = len(images.score_power)
    agreed = (gamma @ references).mul_(moved).sum(1).view(len(gamma), 2, -1).sum(1)
    score0 = torch.view_as_real(images.score[hits.particle, 0])
    at_origin = (score0 * torch.einsum("hc,hcd->hd", per_slice, origin)).sum(1)
    cross_h = torch.cat([at_origin[:, None], agreed], 1)  # (h, P)
    power_h = torch.einsum("hc,hcp->hp", per_slice, power)
    accepted = _per_particle(hits, per_slice.sum(1)[:, None], m)[:, 0]
    cross, total = _per_particle(hits, cross_h, m), _per_particle(hits, power_h, m)
    residual = images.noise_power * (images.score_power * total - 2 * cross)
    residual += images.image_power * accepted[:, None]
    spectra = sums_by_shell(residual, operands.pixels.model_shells, operands.estep.model.n_shells)
    n = batch.marks.shape[1]
    if n == 0:
        return spectra, residual.new_zeros((m, 2)), accepted
    marks = batch.marks[hits.klass].to(residual.dtype)
    low = _per_particle(hits, cross_h[:, :n] * marks, m)
    low_power = _per_particle(hits, power_h[:, :n] * marks, m) * images.score_power[:, :n]
    noise = images.noise_power[:, :n]
    scale = torch.stack([(noise * low).sum(1), (noise * low_power).sum(1)], 1)
    return spectra, scale, accepted


def _per_particle(hits: Hits, values: Tensor, m: int) -> Tensor:
    """Sums over the hits of each particle: (h, n) -> (m, n)."""
    return values.new_zeros((m, values.shape[1])).index_add_(0, hits.particle, values)


def _back_projections(
    hits: Hits,
    images: Weighted,
    halves: Tensor,
    gamma: Tensor,
    per_slice: Tensor,
    phases: Tensor,
    where: Tensor,
    sums: SliceSums,
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Half, slices, Σ Γ Y°_t and Σ Γ V of the hits of every pseudo-half-set."""
    moved = shifted_each(images.back[hits.particle, 1:], phases)
    data = gamma.mT @ moved  # (h, C, 2(P-1))
    n = data.shape[-1] // 2
    origin = torch.view_as_real(images.back[hits.particle, 0])[:, None] * per_slice[..., None]
    planar = torch.cat([origin[..., :1], data[..., :n], origin[..., 1:], data[..., n:]], 2)
    weight = per_slice[..., None] * images.back_power[hits.particle][:, None]
    columns = where[hits.columns]
    used = per_slice > 0
    half_of = halves[hits.particle][:, None].expand_as(used)
    for half in range(sums.data.shape[0]):
        chosen = used if sums.data.shape[0] == 1 else used & (half_of == half)
        yield half, columns[chosen], planar[chosen], weight[chosen]


def _prior_sums(operands: Operands, hits: Hits, batch: FineBatch, rows: Tensor, gamma: Tensor) -> PriorSums:
    """Counts per class and direction, and moments of the offsets."""
    grid, k, device = operands.poses, operands.estep.model.n_classes, gamma.device
    per_shift = gamma.sum(2).double()  # (h, S)
    per_hit = per_shift.sum(1)
    zeros = torch.zeros(k, dtype=torch.float64, device=device)
    classes = zeros.index_add(0, hits.klass, per_hit)
    directions = torch.zeros(k * grid.n_directions, dtype=torch.float64, device=device)
    direction = grid.direction.to(device)[hits.orientation]
    directions.index_add_(0, hits.klass * grid.n_directions + direction, per_hit)
    moves = grid.fine_shifts_angst.to(device)[hits.shifts]
    absolute = batch.old_shift.to(device)[rows[hits.particle]][:, None] + moves  # (h, S, 2)
    weighted = (per_shift[..., None] * absolute).sum(1)
    offsets = torch.zeros((k, 2), dtype=torch.float64, device=device)
    offsets.index_add_(0, hits.klass, weighted)
    away = across_squared(
        absolute - batch.centres.to(device)[hits.klass][:, None],
        batch.axes.to(device)[rows[hits.particle]][:, None],
    )
    variance = (per_shift * away).sum()[None]
    return PriorSums(classes.cpu(), directions.cpu(), offsets.cpu(), variance.cpu())
