"""The second pass from the volumes, without stored slices (refinement.md §2.8, §2.9, §11.7).

The same quantities as `em/scoring/sparse_kernel.py`; what is back-projected goes into `LatticeSums`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.compute.gemm import Precision
from verglas.em.accumulate.outcome import Outcome
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.retry import Additions
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.helix import across_squared
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums
from verglas.em.volumes.hit_lists import CoarseHits, HitLists, hit_lists, posterior
from verglas.em.volumes.locality import direction_order, patch_order
from verglas.em.volumes.volume import (
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
    accumulate_lists,
    score_lists,
)
from verglas.fourier.volume import Volume

CHUNK_BYTES = 256 << 20  # of the scores of one chunk of particles
PAIRS_TOGETHER = 16 << 20  # accepted poses that are added together


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
    steps: Callable[[Tensor], Tensor]  # fine orientations (...) of a class -> (..., 2, 3), see PoseLists
    n_directions: int
    n_psi: int  # angles in the plane of each direction: orientation = direction * n_psi + psi
    children: int  # fine orientations per coarse one
    shift_children: int
    fraction: float  # of the weight that is accumulated (adaptive_fraction)
    gradient: bool = False  # residuals of two pseudo-half-sets are collected
    correlate: bool = False  # the best correlation takes all, weights and priors count for nothing
    precision: Precision = "tensor"
    order: Tensor | None = None  # (P,) which pixel of the images each pixel here is

    @property
    def n_orientations(self) -> int:
        return self.n_directions * self.n_psi

    @property
    def n_classes(self) -> int:
        return len(self.volume.values)

    def in_patches(self) -> VolumeOperands:
        """The same with pixels in the order of square patches, which is kinder to caches."""
        order = patch_order(self.pixels.indices_yx)
        pixels = SlicePixels(self.pixels.indices_yx[order], self.pixels.seen[order])
        return replace(
            self,
            pixels=pixels,
            model_shells=self.model_shells[order],
            marks=self.marks[:, order] if self.marks.shape[1] else self.marks,
            phases=self.phases[..., order[1:] - 1].contiguous(),
            order=order if self.order is None else self.order[order],
        )


def volume_second_pass(
    operands: VolumeOperands,
    found: CoarseHits,
    images: Weighted,
    batch: FineBatch,
    sums: LatticeSums,
    priors: PriorSums,
    additions: Additions,
) -> Outcome:
    """Second pass of b particles: posterior of the children of their hits, and its sums.

    Back-projections of half h and class k go to accumulator h * K + k of `sums`. They are added for many
    particles together, in order of direction: neighbours meet the same part of the lattice. Nothing is added
    before all particles are scored.
    """
    result = Outcome.empty(len(images.score), operands.n_shells)
    own = _images(images, operands.order)
    scored: list[Pairs] = []
    for lists in hit_lists(found, operands.children, operands.shift_children, CHUNK_BYTES):
        poses, pairs = _posterior(operands, lists, own)
        result.put_columns(lists.rows.cpu(), **poses)
        scored.append(pairs)
    for parts in _together(scored):
        _accumulate(operands, parts, own, batch, sums, priors, result, additions)
    return result


def _together(scored: list[Pairs]) -> Iterator[list[Pairs]]:
    """Runs of parts with about PAIRS_TOGETHER accepted poses."""
    waiting: list[Pairs] = []
    for pairs in scored:
        waiting.append(pairs)
        if sum(len(part.share) for part in waiting) > PAIRS_TOGETHER:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _images(images: Weighted, order: Tensor | None) -> ListImages:
    """The images with their pixels in the operands' order."""
    operands = (
        images.score,
        images.score_power,
        images.back,
        images.back_power,
        images.noise_power,
        images.image_power,
    )
    if order is None:
        return ListImages(*operands)
    return ListImages(*(values.index_select(1, order) for values in operands))


@dataclass(frozen=True, eq=False)
class Pairs:
    """N accepted poses of some particles, in order of particle and orientation."""

    particle: Tensor  # (N,) row in the batch
    column: Tensor  # (N,) fine orientation
    shift: Tensor  # (N,) fine translation
    share: Tensor  # (N,) of the particle's weight

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """Those of several groups of particles."""
        return cls(*(torch.cat(values) for values in zip(*(vars(part).values() for part in parts))))

    def merged(self, operands: VolumeOperands, halves: Tensor) -> AcceptedPoses:
        """Poses with the same orientation of the same particle together; `halves` (b,)."""
        n = operands.n_classes * operands.n_orientations * operands.children
        keys, counts = torch.unique_consecutive(self.particle * n + self.column, return_counts=True)
        particle = keys // n
        klass, steps = _orientations(operands, keys % n)
        rows, entries = torch.unique_consecutive(particle, return_counts=True)
        last = entries.cumsum(0)
        first = last - entries
        order = direction_order(steps[first])
        return AcceptedPoses(
            rows[order],
            first[order],
            last[order],
            klass,
            (halves[particle] * operands.n_classes + klass).int(),
            steps,
            torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
            self.shift.int(),
            self.share,
        )


def _posterior(
    operands: VolumeOperands, lists: HitLists, images: ListImages
) -> tuple[dict[str, Tensor], Pairs]:
    """The best poses (columns of an Outcome) and the accepted poses of some particles."""
    columns = lists.fine_columns(operands.children)
    moves = lists.fine_shifts(operands.shift_children)
    poses = PoseLists(
        lists.rows, *_orientations(operands, columns), (lists.column_counts * operands.children).int()
    )
    shifts = ShiftLists(operands.phases, moves.int(), (lists.shift_counts * operands.shift_children).int())
    scores = _scores(operands, poses, shifts, images)
    found = posterior(scores, lists, operands.fraction)
    particle, place, shift, share = found.accepted()
    best, n = found.weights.best[:, None], found.shape[1]
    chosen = {
        "column": columns.gather(1, best % n)[:, 0],
        "shift": moves.gather(1, best // n)[:, 0],
        "p_max": found.weights.p_max,
        "log_sum": found.weights.log_sum,
    }
    return chosen, Pairs(lists.rows[particle], columns[particle, place], moves[particle, shift], share)


def _scores(operands: VolumeOperands, poses: PoseLists, shifts: ShiftLists, images: ListImages) -> Tensor:
    """Log-likelihoods (m, T', O') up to a constant; the largest correlation and -inf where these count."""
    volume, pixels, precision = operands.volume, operands.pixels, operands.precision
    scores = score_lists(volume, pixels, poses, shifts, images.score, images.score_power, precision)
    if not operands.correlate:
        return scores
    nothing = torch.zeros_like(images.score_power)
    cross = score_lists(volume, pixels, poses, shifts, images.score, nothing, precision)
    norm = (2 * (cross - scores)).clamp_min(1e-30)
    found = torch.where(torch.isinf(scores), scores, cross / norm.sqrt()).flatten(1)
    top, best = found.max(1, keepdim=True)
    return torch.full_like(found, -torch.inf).scatter_(1, best, top).view(scores.shape)


def _accumulate(
    operands: VolumeOperands,
    parts: list[Pairs],
    images: ListImages,
    batch: FineBatch,
    sums: LatticeSums,
    priors: PriorSums,
    result: Outcome,
    additions: Additions,
) -> None:
    """Everything that is summed over accepted poses."""
    pairs = Pairs.joined(parts)
    accepted = pairs.merged(operands, batch.halves)
    additions.begin()
    agreement = accumulate_lists(
        operands.volume,
        operands.pixels,
        accepted,
        operands.phases,
        images,
        operands.marks,
        sums,
        gradient=operands.gradient,
    )
    mass = images.score_power.new_zeros(len(images.score))
    mass.index_add_(0, pairs.particle, pairs.share)
    rows = accepted.rows
    result.put_columns(
        rows.cpu(),
        accepted=mass[rows],
        spectra=_spectra(operands, images, agreement, mass)[rows],
        scale_sums=agreement.scale_sums[rows],
    )
    priors.add(_prior_sums(operands, pairs, batch))


def _orientations(operands: VolumeOperands, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Classes (...) int32 and steps (..., 2, 3) of fine orientations."""
    n = operands.n_orientations * operands.children
    return (columns // n).int(), operands.steps(columns % n)


def _spectra(operands: VolumeOperands, images: ListImages, agreement: Agreement, mass: Tensor) -> Tensor:
    """Σ w |S C P - X_t|² per shell, (b, S)."""
    residual = images.score_power * agreement.power - 2 * agreement.cross
    residual = images.noise_power * residual + images.image_power * mass[:, None]
    return sums_by_shell(residual, operands.model_shells, operands.n_shells)


def _prior_sums(operands: VolumeOperands, pairs: Pairs, batch: FineBatch) -> PriorSums:
    """Counts per class and direction, and moments of the offsets."""
    k, device, share = operands.n_classes, pairs.share.device, pairs.share.double()
    coarse = pairs.column // operands.children
    klass, orientation = coarse // operands.n_orientations, coarse % operands.n_orientations
    zeros = torch.zeros(k * operands.n_directions, dtype=torch.float64, device=device)
    where = klass * operands.n_directions + orientation // operands.n_psi
    directions = zeros.index_add(0, where, share)
    classes = zeros[:k].index_add(0, klass, share)
    moves = operands.fine_shifts_angst.to(device)[pairs.shift]
    absolute = batch.old_shift.to(device)[pairs.particle] + moves
    offsets = zeros.new_zeros((k, 2)).index_add_(0, klass, share[:, None] * absolute)
    away = across_squared(absolute - batch.centres.to(device)[klass], batch.axes.to(device)[pairs.particle])
    variance = (share * away).sum()[None]
    return PriorSums(classes.cpu(), directions.cpu(), offsets.cpu(), variance.cpu())
