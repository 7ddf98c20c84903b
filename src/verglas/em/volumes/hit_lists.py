"""Lists of poses for the second pass: children of the significant coarse poses (refinement.md §2.8).

A particle searches the rectangle of its orientations and its translations; pairs that are not children of a
significant pose have a prior of -inf. Rectangles of unequal size are padded, so particles with lists of
similar length come together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.em.scoring.significance import RowWeights

PAIR_BYTES = 16  # of a (translation, orientation) pair of the second pass: scores, weights, marks


@dataclass(frozen=True, eq=False)
class CoarseHits:
    """Significant coarse poses of m particles, over poses that all share or over each particle's own."""

    hits: Tensor  # (m, T, O) bool
    columns: Tensor  # (O,) or (m, O) int64: class * orientations + orientation
    klass: Tensor  # the same shape: the class of each
    orientation_prior: Tensor  # (O,) or (m, O) log
    shift_prior: Tensor  # (m, K, T) log


@dataclass(frozen=True, eq=False)
class HitLists:
    """Coarse poses that m particles search around, the first `counts` of each row."""

    rows: Tensor  # (m,) which of the particles
    columns: Tensor  # (m, o) int64 coarse orientations
    column_counts: Tensor  # (m,)
    shifts: Tensor  # (m, t) int64 coarse translations
    shift_counts: Tensor  # (m,)
    prior: Tensor  # (m, t, o) log; -inf where the coarse pose is not significant

    def fine_columns(self, children: int) -> Tensor:
        """Numbers of the fine orientations, (m, o * children)."""
        return _children(self.columns, children)

    def fine_shifts(self, children: int) -> Tensor:
        """Numbers of the fine translations, (m, t * children)."""
        return _children(self.shifts, children)


@dataclass(frozen=True, eq=False)
class ListPosterior:
    """Weights of the fine poses of m particles: (m, T', O') flattened per particle."""

    weights: RowWeights
    shape: tuple[int, int]  # T', O'

    def accepted(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Particle, orientation, translation and share of the weights that matter, in this order."""
        shares = self.weights.truncated().view(-1, *self.shape).mT
        particle, orientation, shift = shares.nonzero().unbind(1)
        return particle, orientation, shift, shares[particle, orientation, shift]


def hit_lists(found: CoarseHits, children: int, shift_children: int, budget: int) -> Iterator[HitLists]:
    """Lists of all particles with any hit, in chunks whose fine pairs fit `budget` bytes (one at least)."""
    by_column, by_shift = found.hits.any(1), found.hits.any(2)
    counts = torch.stack([by_column.sum(1), by_shift.sum(1)], 1)
    sizes = counts.cpu().numpy()
    # lengths of similar magnitude together, and within them particles with similar best orientations
    magnitude = np.ceil(2 * np.log2(np.maximum(sizes, 1)))
    first = by_column.to(torch.uint8).argmax(1).cpu().numpy()
    order = np.lexsort((first, magnitude[:, 1], magnitude[:, 0]))
    order = order[sizes[order, 0] > 0]
    for rows in _chunks(order, sizes, budget // (PAIR_BYTES * children * shift_children)):
        chosen = torch.from_numpy(rows).to(counts.device)
        yield _lists(found, chosen, by_column[chosen], by_shift[chosen], counts[chosen])


def _chunks(order: np.ndarray, sizes: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Runs of particles whose padded rectangles hold at most `most` coarse pairs together."""
    start = 0
    while start < len(order):
        longest = np.maximum.accumulate(sizes[order[start:]], 0)
        pairs = np.arange(1, len(longest) + 1) * longest.prod(1)
        stop = start + max(1, int(np.searchsorted(pairs, most, side="right")))
        yield order[start:stop]
        start = stop


def _lists(found: CoarseHits, rows: Tensor, by_column: Tensor, by_shift: Tensor, counts: Tensor) -> HitLists:
    places, shifts = _positions(by_column, counts[:, 0]), _positions(by_shift, counts[:, 1])
    used = found.hits[rows[:, None, None], shifts[:, :, None], places[:, None]]
    used &= _leading(counts[:, 1], shifts.shape[1])[:, :, None]
    used &= _leading(counts[:, 0], places.shape[1])[:, None]
    klass = _rows_of(found.klass, rows, places)
    prior = found.shift_prior[rows[:, None, None], klass[:, None], shifts[:, :, None]]
    prior = prior + _rows_of(found.orientation_prior, rows, places)[:, None]
    return HitLists(
        rows,
        _rows_of(found.columns, rows, places),
        counts[:, 0],
        shifts,
        counts[:, 1],
        torch.where(used, prior, -torch.inf),
    )


def _rows_of(table: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """Entries `places` (m, o) of a table that is shared (O,) or has a row for each particle."""
    return table[places] if table.ndim == 1 else table[rows[:, None], places]


def _positions(used: Tensor, counts: Tensor) -> Tensor:
    """Places of the true values of each row (m, n), padded with 0: (m, most)."""
    row, place = used.nonzero().unbind(1)
    within = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    result = place.new_zeros((len(used), max(1, int(counts.max()))))
    result[row, within] = place
    return result


def _leading(counts: Tensor, n: int) -> Tensor:
    """(m, n) bool: the first `counts` of each row."""
    return torch.arange(n, device=counts.device) < counts[:, None]


def _children(parents: Tensor, n: int) -> Tensor:
    return (parents[..., None] * n + torch.arange(n, device=parents.device)).flatten(-2)


def posterior(scores: Tensor, lists: HitLists, fraction: float) -> ListPosterior:
    """Weights of fine scores (m, T', O'), which are overwritten, under the prior of their coarse poses."""
    m, t, o = lists.prior.shape
    n_shifts, n_columns = scores.shape[1:]
    blocks = scores.view(m, t, n_shifts // t, o, n_columns // o)
    blocks += lists.prior[:, :, None, :, None]
    return ListPosterior(RowWeights.of(scores.view(m, -1), fraction), (n_shifts, n_columns))
