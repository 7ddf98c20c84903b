"""Classification without rotation search: `--skip_align` and `--skip_rotate` (refinement.md §2.11).

Every particle has one orientation, its own, for every class; translations are one (what is left of the
stored offset) or the whole fine grid. Slices are made per particle, so there is nothing to share.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.operands import Operands
from verglas.em.operands.retry import Additions
from verglas.em.operands.slices import insert
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.helix import across_squared
from verglas.em.scoring.significance import RowWeights
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums, WeightedSums
from verglas.fourier import shift_phases


@dataclass(frozen=True)
class FixedPoses:
    """Poses of b particles."""

    angles_deg: Tensor  # (b, 3) float64
    shifts_angst: Tensor  # (b, T, 2) y, x beyond the whole-pixel offset
    shift_prior: Tensor  # (b, K, T) log


@dataclass(frozen=True)
class FixedOutcome:
    """What a batch showed; `shift` (b,) and `klass` (b,) of the best pose."""

    outcome: Outcome
    klass: Tensor
    shift: Tensor
    n_significant: Tensor


def fixed_pass(
    operands: Operands,
    poses: FixedPoses,
    images: Weighted,
    batch: FineBatch,
    sums: WeightedSums,
    priors: PriorSums,
    additions: Additions,
) -> FixedOutcome:
    """Score, weigh and add up a batch of particles with fixed orientations."""
    slices = operands.maker.complex(poses.angles_deg, len(operands.pixels))  # (K, b, P)
    shifted, back = _shifted(operands, poses, images.score), _shifted(operands, poses, images.back)
    scores = _scores(operands, slices, shifted, images, poses)  # (b, T, K)
    b = len(scores)
    found = RowWeights.of(scores.flatten(1), operands.estep.settings.adaptive_fraction)
    gamma = found.truncated().view(scores.shape)
    residual, scale = _residuals(images, slices, shifted, gamma, batch)
    spectra = sums_by_shell(residual, operands.pixels.model_shells, operands.estep.model.n_shells)
    k = scores.shape[2]
    outcome = Outcome.empty(b, operands.estep.model.n_shells)
    outcome.put_columns(
        torch.arange(b),
        p_max=found.p_max,
        log_sum=found.log_sum,
        accepted=gamma.sum((1, 2)),
        spectra=spectra,
        scale_sums=scale,
    )
    additions.begin()
    _back_project(operands, poses, sums, images, back, gamma, slices, batch)
    _count(poses, gamma, batch, priors, operands)
    return FixedOutcome(outcome, found.best % k, found.best // k, found.count)


def residuals_at(
    operands: Operands, poses: FixedPoses, images: Weighted, batch: FineBatch
) -> tuple[Tensor, Tensor]:
    """What one reference leaves of b images at one pose each: by model shell (b, S), and (b, 2) for the scale."""
    slices = operands.maker.complex(poses.angles_deg, len(operands.pixels))
    shifted = _shifted(operands, poses, images.score)
    whole = torch.ones((len(shifted), 1, 1), dtype=images.score.real.dtype, device=shifted.device)
    residual, scale = _residuals(images, slices, shifted, whole, batch)
    spectra = sums_by_shell(residual, operands.pixels.model_shells, operands.estep.model.n_shells)
    return spectra, scale


def add_at(operands: Operands, poses: FixedPoses, images: Weighted, data: Tensor, weight: Tensor) -> None:
    """Add b images at one pose each to sums (1, L...)."""
    back = _shifted(operands, poses, images.back)[:, 0]
    first = torch.zeros(len(back), dtype=torch.int64)
    lattice = operands.estep.projector.lattice
    insert(data, weight, lattice, operands.maker, poses.angles_deg, back, images.back_power, first)


def _shifted(operands: Operands, poses: FixedPoses, values: Tensor) -> Tensor:
    """(b, T, P) images at their translations."""
    shifts_px = poses.shifts_angst / operands.optics.pixel_size_angst
    phases = shift_phases(
        shifts_px.to(values.device), operands.pixels.indices_yx, operands.optics.box_size, values.dtype
    )
    return values[:, None] * phases


def _scores(
    operands: Operands, slices: Tensor, shifted: Tensor, images: Weighted, poses: FixedPoses
) -> Tensor:
    cross = _agreement(slices[:, :, 1:], shifted[:, :, 1:])
    power = slices[:, :, 1:].abs().square()
    norm = torch.einsum("bp,kbp->bk", images.score_power[:, 1:], power)
    weights = operands.estep.model.class_weights
    prior = torch.as_tensor(weights, dtype=norm.dtype, device=norm.device).log()
    return cross + (prior - 0.5 * norm)[:, None] + poses.shift_prior.transpose(1, 2)


def _agreement(slices: Tensor, shifted: Tensor) -> Tensor:
    """Σ_k Re(conj(Y_t) P): (b, T, K)."""
    rows = torch.view_as_real(shifted).flatten(2)
    columns = torch.view_as_real(slices.transpose(0, 1).contiguous()).flatten(2)
    return rows @ columns.mT


def _residuals(
    images: Weighted, slices: Tensor, shifted: Tensor, gamma: Tensor, batch: FineBatch
) -> tuple[Tensor, Tensor]:
    n = batch.marks.shape[1]
    cross = images.score.real.new_zeros(images.score.shape)
    power = torch.zeros_like(cross)
    scale = cross.new_zeros((len(cross), 2))
    for k, planes in enumerate(slices):
        seen = torch.einsum("bt,btp->bp", gamma[:, :, k].to(shifted.dtype), shifted)
        part = (seen.conj() * planes).real
        expected = gamma[:, :, k].sum(1)[:, None] * planes.abs().square()
        cross += part
        power += expected
        marked = batch.marks[k].to(part.dtype)
        noise = images.noise_power[:, :n] * marked
        scale[:, 0] += (noise * part[:, :n]).sum(1)
        scale[:, 1] += (noise * images.score_power[:, :n] * expected[:, :n]).sum(1)
    residual = images.noise_power * (images.score_power * power - 2 * cross)
    return residual + images.image_power * gamma.sum((1, 2))[:, None], scale


def _back_project(
    operands: Operands,
    poses: FixedPoses,
    sums: WeightedSums,
    images: Weighted,
    back: Tensor,
    gamma: Tensor,
    slices: Tensor,
    batch: FineBatch,
) -> None:
    lattice = operands.estep.projector.lattice
    n_classes = len(slices)
    for k, planes in enumerate(slices):
        data = torch.einsum("bt,btp->bp", gamma[:, :, k].to(back.dtype), back)
        weight = gamma[:, :, k].sum(1)[:, None] * images.back_power
        if operands.estep.gradient:
            data = data - weight * planes
        classes = (batch.halves * n_classes + k).cpu()
        insert(sums.data, sums.weight, lattice, operands.maker, poses.angles_deg, data, weight, classes)


def _count(poses: FixedPoses, gamma: Tensor, batch: FineBatch, priors: PriorSums, operands: Operands) -> None:
    weights = gamma.double().cpu()
    priors.class_weight += weights.sum((0, 1))
    share = weights.sum((0, 1))[:, None] * torch.from_numpy(operands.estep.model.direction_weights)
    total = share.sum(1, keepdim=True).clamp_min(1e-300)
    priors.direction_weight += (share / total * weights.sum((0, 1))[:, None]).flatten()
    absolute = batch.old_shift[:, None] + poses.shifts_angst
    priors.class_offset += torch.einsum("btk,btd->kd", weights, absolute)
    away = across_squared(absolute[:, :, None] - batch.centres, batch.axes[:, None, None])
    priors.sigma2_offset += (weights * away).sum()
