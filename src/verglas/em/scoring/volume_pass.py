"""The second pass from the volumes, without stored slices (refinement.md §2.8, §2.9, §11.7).

The same quantities as `em/scoring/sparse_kernel.py`; what is back-projected goes into `LatticeSums`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.compute.gemm import Precision
from verglas.em.accumulate.outcome import Outcome, PriorSums
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.helix import across_squared
from verglas.em.scoring.hit_lists import CoarseHits, HitLists, ListPosterior, hit_lists, posterior
from verglas.em.scoring.tile import FineBatch
from verglas.em.scoring.volume import (
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
    Volume,
    accumulate_lists,
    score_lists,
)

CHUNK_BYTES = 256 << 20  # of the scores of one chunk of particles
PATCH = 8  # pixels are visited in squares of this side, so that neighbours in time are neighbours in space


@dataclass(frozen=True, eq=False)
class VolumeOperands:
    """What the second pass of an optics group needs to know in one iteration.

    Fine orientation f of coarse orientation o of a class is o * children + f, a column adds
    class * n_orientations * children; fine translations likewise.
    """

    volume: Volume
    pixels: SlicePixels
    model_shells: Tensor  # (P,) shell of the model of each pixel
    n_shells: int
    marks: Tensor  # (K, P) bool: pixels of the scale correction; (K, 0) without it
    phases: Tensor  # (T', 2, P-1) of all fine translations, see ShiftLists
    fine_shifts_angst: Tensor  # (T', 2) y, x, float64
    steps: Callable[
        [Tensor], Tensor
    ]  # fine orientations (...) of a class -> (..., 2, 3), see PoseLists
    direction: Tensor  # (O,) direction of each coarse orientation
    n_directions: int
    children: int  # fine orientations per coarse one
    shift_children: int
    fraction: float  # of the weight that is accumulated (adaptive_fraction)
    gradient: bool = False  # residuals of two pseudo-half-sets are collected
    precision: Precision = "tensor"
    order: Tensor | None = None  # (P,) which pixel of the images each pixel here is

    @property
    def n_orientations(self) -> int:
        return len(self.direction)

    @property
    def n_classes(self) -> int:
        return len(self.volume.values)

    def in_patches(self) -> VolumeOperands:
        """The same with pixels in the order of square patches, which is kinder to caches."""
        order = patch_order(self.pixels.indices_yx)
        pixels = SlicePixels(self.pixels.indices_yx[order], self.pixels.seen[order])
        return replace(
            self, pixels=pixels, model_shells=self.model_shells[order],
            marks=self.marks[:, order] if self.marks.shape[1] else self.marks,
            phases=self.phases[..., order[1:] - 1].contiguous(),
            order=order if self.order is None else self.order[order],
        )  # fmt: skip


def patch_order(indices_yx: Tensor) -> Tensor:
    """Order of pixels (P, 2) by square patches, row by row within each; the origin stays first."""
    y, x = indices_yx[1:].unbind(1)
    y = y - y.amin()
    patch = (y // PATCH) * (int(x.amax()) // PATCH + 1) + x // PATCH
    inside = (y % PATCH) * PATCH + x % PATCH
    order = torch.argsort(patch * PATCH**2 + inside)
    return torch.cat([order.new_zeros(1), order + 1])


def volume_second_pass(
    operands: VolumeOperands, found: CoarseHits, images: Weighted, batch: FineBatch, sums: LatticeSums,
    priors: PriorSums,
) -> Outcome:  # fmt: skip
    """Second pass of b particles: posterior of the children of their hits, and its sums.

    Back-projections of half h and class k go to accumulator h * K + k of `sums`.
    """
    result = Outcome.empty(len(images.score), operands.n_shells)
    for lists in hit_lists(found, operands.children, operands.shift_children, CHUNK_BYTES):
        result.put(lists.rows.cpu(), _chunk(operands, lists, images, batch, sums, priors))
    return result


def _chunk(
    operands: VolumeOperands, lists: HitLists, images: Weighted, batch: FineBatch, sums: LatticeSums,
    priors: PriorSums,
) -> Outcome:  # fmt: skip
    mine = _images(images, lists.rows, operands.order)
    columns = lists.fine_columns(operands.children)
    moves = lists.fine_shifts(operands.shift_children)
    klass, steps = _orientations(operands, columns)
    poses = PoseLists(klass, steps, (lists.column_counts * operands.children).int())
    shifts = ShiftLists(
        operands.phases, moves.int(), (lists.shift_counts * operands.shift_children).int()
    )
    scores = score_lists(
        operands.volume, operands.pixels, poses, shifts, mine.score, mine.score_power,
        operands.precision,
    )  # fmt: skip
    found = posterior(scores, lists, operands.fraction)
    pairs = Pairs(*_accepted(found, columns, moves))
    accepted = pairs.merged(operands, len(columns), klass, steps, batch.halves[lists.rows])
    agreement = accumulate_lists(
        operands.volume, operands.pixels, accepted, operands.phases, mine, operands.marks, sums,
        gradient=operands.gradient,
    )  # fmt: skip
    priors.add(_prior_sums(operands, pairs, batch, lists.rows))
    mass = mine.score_power.new_zeros(len(columns)).index_add_(0, pairs.particle, pairs.share)
    best, n = found.weights.best[:, None], found.shape[1]
    return Outcome(
        columns.gather(1, best % n)[:, 0], moves.gather(1, best // n)[:, 0], found.weights.p_max,
        found.weights.log_sum, mass, _spectra(operands, mine, agreement, mass),
        agreement.scale_sums,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pairs:
    """N accepted poses of m particles, in order of particle and orientation."""

    particle: Tensor  # (N,)
    place: Tensor  # (N,) of the orientation in the particle's list
    column: Tensor  # (N,) fine orientation
    shift: Tensor  # (N,) fine translation
    share: Tensor  # (N,) of the particle's weight

    def merged(
        self, operands: VolumeOperands, m: int, klass: Tensor, steps: Tensor, halves: Tensor
    ) -> AcceptedPoses:
        """Poses with the same orientation of the same particle together; `halves` (m,)."""
        keys, counts = torch.unique_consecutive(
            self.particle * klass.shape[1] + self.place, return_counts=True
        )
        particle, place = keys // klass.shape[1], keys % klass.shape[1]
        own = klass[particle, place]
        target = halves[particle] * operands.n_classes + own
        per_particle = torch.bincount(particle, minlength=m)
        return AcceptedPoses(
            particle, own, target.int(), steps[particle, place], _starts(per_particle),
            _starts(counts), self.shift.int(), self.share,
        )  # fmt: skip


def _starts(counts: Tensor) -> Tensor:
    """Where each run begins, and where the last one ends: (n,) -> (n + 1,)."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _accepted(found: ListPosterior, columns: Tensor, moves: Tensor) -> tuple[Tensor, ...]:
    particle, place, shift, share = found.accepted()
    return particle, place, columns[particle, place], moves[particle, shift], share


def _images(images: Weighted, rows: Tensor, order: Tensor | None) -> ListImages:
    """Some of the particles, their pixels in the operands' order."""
    operands = (
        images.score, images.score_power, images.back, images.back_power, images.noise_power,
        images.image_power,
    )  # fmt: skip
    if order is None:
        return ListImages(*(values[rows] for values in operands))
    return ListImages(*(values[rows[:, None], order] for values in operands))


def _orientations(operands: VolumeOperands, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Classes (m, O) int32 and steps (m, O, 2, 3) of fine orientations."""
    n = operands.n_orientations * operands.children
    return (columns // n).int(), operands.steps(columns % n)


def _spectra(
    operands: VolumeOperands, images: ListImages, agreement: Agreement, mass: Tensor
) -> Tensor:
    """Σ w |S C P - X_t|² per shell, (m, S)."""
    residual = images.score_power * agreement.power - 2 * agreement.cross
    residual = images.noise_power * residual + images.image_power * mass[:, None]
    return sums_by_shell(residual, operands.model_shells, operands.n_shells)


def _prior_sums(
    operands: VolumeOperands, pairs: Pairs, batch: FineBatch, rows: Tensor
) -> PriorSums:
    """Counts per class and direction, and moments of the offsets."""
    k, device, share = operands.n_classes, pairs.share.device, pairs.share.double()
    coarse = pairs.column // operands.children
    klass, orientation = coarse // operands.n_orientations, coarse % operands.n_orientations
    zeros = torch.zeros(k * operands.n_directions, dtype=torch.float64, device=device)
    where = klass * operands.n_directions + operands.direction.to(device)[orientation]
    directions = zeros.index_add(0, where, share)
    classes = zeros[:k].index_add(0, klass, share)
    particle = rows[pairs.particle]
    moves = operands.fine_shifts_angst.to(device)[pairs.shift]
    absolute = batch.old_shift.to(device)[particle] + moves
    offsets = zeros.new_zeros((k, 2)).index_add_(0, klass, share[:, None] * absolute)
    away = across_squared(
        absolute - batch.centres.to(device)[klass], batch.axes.to(device)[particle]
    )
    variance = (share * away).sum()[None]
    return PriorSums(classes.cpu(), directions.cpu(), offsets.cpu(), variance.cpu())
