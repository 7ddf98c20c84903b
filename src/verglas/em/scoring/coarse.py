"""First pass: every coarse pose of every particle, and which of them matter (refinement.md §2.7, §2.8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.compute.gemm import product
from verglas.em.operands.operands import Operands
from verglas.em.operands.slices import shifted
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.helix import across_squared, outside_limits
from verglas.em.scoring.significance import RowWeights
from verglas.em.state.particles import Assignments, Ints


@dataclass(frozen=True)
class CoarsePass:
    """Outcome for b particles, T translations and K·O orientations."""

    weights: Tensor  # (b, T, K*O): posterior up to a factor
    threshold: Tensor  # (b,): a pose is significant if its weight is not below
    n_significant: Tensor  # (b,)
    best: Tensor  # (b,) flat index (T, K*O) of the best pose
    shift_prior: Tensor  # (b, K, T) log prior of each translation
    turn_prior: Tensor | None = None  # (b, O) log prior of each orientation; helices

    def of(self, rows: Tensor) -> CoarsePass:
        """That of some particles."""
        turn = None if self.turn_prior is None else self.turn_prior[rows]
        return CoarsePass(
            self.weights[rows],
            self.threshold[rows],
            self.n_significant[rows],
            self.best[rows],
            self.shift_prior[rows],
            turn,
        )

    def hits(self, rows: Tensor) -> Tensor:
        """Significant poses of some particles, (m, T, K*O) bool."""
        return self.weights[rows] >= self.threshold[rows, None, None]


def old_offsets_px(
    assignments: Assignments, rows: Ints, pixel_size_angst: float, axes: Tensor | None = None
) -> Ints:
    """Previous offsets (b, 2) y, x rounded (half away from zero) to whole pixels (§1.5).

    `axes` (b, 2): unit vectors along which they are forgotten.
    """
    offsets = assignments.origin_yx_angst[rows]
    if axes is not None:
        along = axes.numpy()
        offsets = offsets - along * (offsets * along).sum(1, keepdims=True)
    pixels = offsets / pixel_size_angst
    return (np.sign(pixels) * np.floor(np.abs(pixels) + 0.5)).astype(np.int64)


def shift_log_prior(operands: Operands, old_px: Ints, axes: Tensor | None = None) -> Tensor:
    """ln π(t) of coarse translations, (b, K, T), up to a constant (§2.6).

    `axes` (b, 2): the filament axes of helical segments, along which there is no prior but a limit.
    """
    estep = operands.estep
    model, pixel_size = estep.model, operands.optics.pixel_size_angst
    if estep.settings.parity.offset_prior_in_pixels:
        unit, factor = 1.0, pixel_size**2
    else:
        unit, factor = pixel_size, 1.0
    device, double = estep.device, torch.float64
    old = torch.as_tensor(old_px, dtype=double, device=device) * unit
    absolute = old[:, None] + operands.poses.prior_shifts_angst.to(device, double)  # (b, T, 2)
    known = model.class_offsets_angst if model.dims == 2 else np.zeros((model.n_classes, 2))
    centres = torch.as_tensor(known, dtype=double, device=device)
    away = absolute[:, None] - centres[:, None]  # (b, K, T, 2)
    variance = max(model.sigma_offset_angst**2, 1e-12)
    helix = estep.settings.helix
    if helix is None or not helix.restricts_offsets or axes is None:
        return (away.square().sum(-1) * (-factor / (2 * variance))).to(estep.dtype)
    axes = axes.to(device)
    prior = across_squared(away, axes[:, None, None]) * (-factor / (2 * variance))
    outside = outside_limits(helix, absolute, axes, estep.state.sampling.offset_step_angst)
    return prior.masked_fill(outside[:, None], -torch.inf).to(estep.dtype)


def coarse_pass(
    operands: Operands, images: Weighted, shift_prior: Tensor, turn_prior: Tensor | None = None
) -> CoarsePass:
    """Score all coarse poses of a batch and mark those that hold the wanted fraction of the weight."""
    scores = coarse_scores(operands, images, shift_prior, turn_prior)  # (b, T, K*O)
    flat = scores.flatten(1)
    settings = operands.estep.settings
    if operands.estep.cross_correlation:
        top, best = flat.max(1)
        count = (flat >= top[:, None]).sum(1)
        return CoarsePass(scores, top, count, best, shift_prior, turn_prior)
    found = RowWeights.of(flat, settings.adaptive_fraction, settings.max_significants)
    weights = found.weights.view(scores.shape)
    return CoarsePass(weights, found.threshold, found.count, found.best, shift_prior, turn_prior)


def coarse_scores(
    operands: Operands, images: Weighted, shift_prior: Tensor, turn_prior: Tensor | None = None
) -> Tensor:
    """Log posterior up to a constant, (b, T, K*O); in CC mode the correlation."""
    n, slices = operands.n_coarse, operands.coarse
    b, t = len(images.score), len(operands.coarse_phases)
    rows = shifted(images.score[:, 1:n], operands.coarse_phases)
    general = operands.estep.cross_correlation or turn_prior is not None
    if operands.has_half_turns and not general:
        return _by_half_turns(operands, rows, images.score_power[:, 1:n], shift_prior)
    cross = product(rows, slices.rows).reshape(b, t, -1)
    norm = product(images.score_power[:, 1:n], slices.power[:, 1:])  # (b, K*O)
    if operands.estep.cross_correlation:
        cross /= norm.clamp_min(1e-30).sqrt()[:, None]
        return _forbidden(cross, shift_prior, turn_prior)
    cross -= (0.5 * norm - operands.orientation_prior)[:, None]
    k = shift_prior.shape[1]
    by_class = cross.view(b, t, k, -1)
    by_class += shift_prior.transpose(1, 2)[..., None]
    if turn_prior is not None:
        by_class += turn_prior[:, None, None]
    return cross


def _forbidden(scores: Tensor, shift_prior: Tensor, turn_prior: Tensor | None) -> Tensor:
    """Correlations know no priors, but poses that a prior excludes stay excluded."""
    if turn_prior is None:
        return scores
    b, t, k = len(scores), scores.shape[1], shift_prior.shape[1]
    never = torch.isinf(shift_prior).transpose(1, 2)[..., None] | torch.isinf(turn_prior)[:, None, None]
    return scores.view(b, t, k, -1).masked_fill_(never, -torch.inf).view(scores.shape)


def _by_half_turns(operands: Operands, rows: Tensor, power: Tensor, shift_prior: Tensor) -> Tensor:
    """The scores of a whole grid from half of the products: the slice at psi + 180° is the conjugate.

    With a and b the products of real and of imaginary parts, a pose scores a + b and its half turn a - b
    (refinement.md §11.2). `rows` (b * T, 2(P-1)), `power` (b, P-1).
    """
    half_turns, n, k = operands.half_turns, power.shape[1], shift_prior.shape[1]
    b, half = len(power), operands.poses.grid.n_psi // 2
    n_directions = len(half_turns.power) // half  # of all classes
    shape = (b, -1, n_directions, half)
    norm = product(power, half_turns.power).view(shape)
    even = product(rows[:, :n], half_turns.real).view(shape)
    odd = product(rows[:, n:], half_turns.imag).view(shape)
    # the prior is the same for all angles in the plane
    prior = operands.orientation_prior.view(-1, 2, half)[:, 0]
    by_class = shift_prior.transpose(1, 2).repeat_interleave(n_directions // k, 2)
    even -= (0.5 * norm - prior) - by_class[..., None]
    scores = even.new_empty((b, even.shape[1], n_directions, 2, half))
    torch.add(even, odd, out=scores[:, :, :, 0])
    torch.sub(even, odd, out=scores[:, :, :, 1])
    return scores.flatten(2)
