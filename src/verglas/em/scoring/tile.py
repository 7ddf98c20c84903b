"""Second pass: children of the significant poses and their posterior (refinement.md §2.8).

Particles are treated in tiles: a few particles × all fine orientations that any of them needs × all fine
translations that any of them needs. Scores and sums of a tile are dense matrix products; poses that are not
children of a particle's own significant poses are masked out. A tile of one particle is the sparse limit,
a tile of many the dense one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.compute.gemm import product
from verglas.em.operands.operands import Operands
from verglas.em.operands.slices import Slices, shifted
from verglas.em.operands.weighting import Weighted
from verglas.em.scoring.coarse import CoarsePass
from verglas.em.scoring.significance import RowWeights


@dataclass(frozen=True)
class FineBatch:
    """What the second pass must know about a batch besides its images."""

    old_shift: Tensor  # (b, 2) whole-pixel offsets already applied, Å, float64 on the CPU
    centres: Tensor  # (K, 2) centres of the offset prior, Å, float64 on the CPU
    halves: Tensor  # (b,) int64: accumulator of each particle
    marks: Tensor  # (K, P') bool: leading pixels whose shells take part in the scale correction
    axes: Tensor  # (b, 2) filament axes, along which offsets have no prior; zeros without helices

    def rows(self, chosen: Tensor) -> FineBatch:
        """Some of the particles; `chosen` on the CPU."""
        return FineBatch(
            self.old_shift[chosen],
            self.centres,
            self.halves[chosen.to(self.halves.device)],
            self.marks,
            self.axes[chosen],
        )


@dataclass(frozen=True)
class Tile:
    """m particles, coarse orientations and translations that take part, and their children."""

    particles: Tensor  # (m,) row in the batch
    orientations: Tensor  # (o,) coarse slice numbers (class * O + orientation), ascending
    shifts: Tensor  # (t,) coarse translations
    columns: Tensor  # (o * children,) fine slice numbers
    fine_shifts: Tensor  # (t * shift children,)
    prior: Tensor  # (m, t, o) log prior; -inf where the coarse pose is not significant


@dataclass(frozen=True)
class Posterior:
    """Normalised, truncated weights of a tile and the best pose of each particle."""

    gamma: Tensor  # (m, T', O'): 0 below the threshold
    best: Tensor  # (m,) flat index in (T', O')
    p_max: Tensor  # (m,)
    log_sum: Tensor  # (m,) ln of the sum of all weights


@dataclass(frozen=True)
class TileResult:
    """A scored tile with the operands that the sums need again."""

    tile: Tile
    images: Weighted  # the tile's m particles
    shifted: Tensor  # (m * T', 2(P-1)) Y at every translation
    slices: Slices
    posterior: Posterior


def make_tile(operands: Operands, coarse: CoarsePass, particles: Tensor) -> Tile:
    """The tile of some particles of a batch."""
    hits = coarse.hits(particles)
    orientations = hits.any(0).any(0).nonzero().flatten()
    shifts = hits.any(2).any(0).nonzero().flatten()
    hits = hits[:, shifts][:, :, orientations]
    n_orientations = operands.poses.n_orientations
    klass = orientations // n_orientations
    shift_prior = coarse.shift_prior[particles][:, klass][:, :, shifts].transpose(1, 2)
    prior = shift_prior + operands.orientation_prior[orientations]
    if coarse.turn_prior is not None:
        prior = prior + coarse.turn_prior[particles][:, orientations % n_orientations][:, None]
    prior = torch.where(hits, prior, -torch.inf)
    return Tile(
        particles,
        orientations,
        shifts,
        _children(orientations, operands.poses.children),
        _children(shifts, operands.poses.shift_children),
        prior,
    )


def _children(parents: Tensor, n: int) -> Tensor:
    return (parents[:, None] * n + torch.arange(n, device=parents.device)).flatten()


def score_tile(operands: Operands, tile: Tile, images: Weighted) -> TileResult:
    """Scores of all children in the tile, turned into the posterior."""
    slices = operands.fine_slices(tile.columns)
    phases = operands.phases_of(tile.fine_shifts)
    m, t = len(images.score), len(phases)
    rows = shifted(images.score[:, 1:], phases)
    cross = product(rows, slices.rows).reshape(m, t, -1)
    norm = product(images.score_power[:, 1:], slices.power[:, 1:])  # (m, O')
    if operands.estep.cross_correlation:
        posterior = _winner(cross / norm.clamp_min(1e-30).sqrt()[:, None], tile)
    else:
        cross -= 0.5 * norm[:, None]
        posterior = _posterior(cross, tile, operands.estep.settings.adaptive_fraction)
    return TileResult(tile, images, rows, slices, posterior)


def _with_prior(scores: Tensor, tile: Tile) -> Tensor:
    """Add the coarse prior (and the mask in it) to the fine scores (m, T', O') in place."""
    m, t, o = tile.prior.shape
    blocks = scores.view(m, t, scores.shape[1] // t, o, scores.shape[2] // o)
    blocks += tile.prior[:, :, None, :, None]
    return scores


def _posterior(scores: Tensor, tile: Tile, fraction: float) -> Posterior:
    shape = scores.shape
    found = RowWeights.of(_with_prior(scores, tile).reshape(shape[0], -1), fraction)
    return Posterior(found.truncated().reshape(shape), found.best, found.p_max, found.log_sum)


def _winner(correlations: Tensor, tile: Tile) -> Posterior:
    """Winner takes all (§2.7): weight 1 for the best pose."""
    m = correlations.shape[0]
    masked = _with_prior(correlations, tile).reshape(m, -1)
    top, best = masked.max(1)
    gamma = torch.zeros_like(masked).scatter_(1, best[:, None], 1.0)
    return Posterior(gamma.reshape(correlations.shape), best, torch.ones_like(top), top)
