"""Priors, noise, norm and scale from the sums (refinement.md §3.8)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from verglas.em.images.pixels import pixels_per_shell
from verglas.em.state.model import Model
from verglas.em.state.particles import Floats
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums

MIN_SIGMA2_OFFSET_A2 = 2.0
SMALLEST_NOISE = 1e-14


def update_parameters(
    settings: EmSettings, model: Model, sums: WeightedSums, cross_correlation: bool, momentum: float = 0.0
) -> Model:
    """Priors, noise, norm and scale from the sums (§3.8); `momentum` μ of gradient iterations."""
    total = float(sums.total)
    if total <= 0:
        return model

    def averaged(old: Floats, new: Floats) -> Floats:
        return momentum * old + (1 - momentum) * new

    class_weights = averaged(model.class_weights, sums.class_weight.numpy() / total)
    class_weights /= class_weights.sum()
    directions = averaged(model.direction_weights, sums.direction_weight.numpy() / total)
    if settings.dims == 2:  # one direction: the class itself, and to the last bit what files hold
        directions = class_weights[:, None].copy()
    norm_average = float(averaged(np.array(model.norm_average), sums.norm.numpy() / total))
    restricted = settings.helix is not None and settings.helix.restricts_offsets
    axes = 1 if restricted else 2  # those along a filament have a limit instead of a prior
    variance = float(sums.sigma2_offset) / (axes * total)
    variance = momentum * model.sigma_offset_angst**2 + (1 - momentum) * variance
    if not (restricted and settings.parity.no_least_sigma_offset):
        variance = max(variance, MIN_SIGMA2_OFFSET_A2)
    keep_offset = settings.fix_sigma_offset
    return replace(
        model,
        class_weights=class_weights,
        direction_weights=directions,
        class_offsets_angst=averaged(model.class_offsets_angst, _class_offsets(settings, sums)),
        sigma_offset_angst=model.sigma_offset_angst if keep_offset else float(np.sqrt(variance)),
        sigma2_noise=model.sigma2_noise
        if cross_correlation or settings.fix_sigma_noise
        else averaged(model.sigma2_noise, _noise(model, sums)),
        norm_average=norm_average if settings.correct_norm else model.norm_average,
        scale=_scales(settings, model, sums, cross_correlation, momentum),
        log_likelihood=float(sums.log_likelihood),
        average_p_max=float(sums.p_max) / total,
    )


def _class_offsets(settings: EmSettings, sums: WeightedSums) -> Floats:
    """Mean offset of each 2D class; zeros for an empty one."""
    weight = sums.class_weight[:, None]
    if settings.dims == 3:
        return np.zeros((len(weight), 2))
    divisor = sums.total if settings.parity.class_offset_by_total_weight else weight
    offsets: Floats = torch.where(weight > 0, sums.class_offset / divisor, 0).numpy()
    return offsets


def _noise(model: Model, sums: WeightedSums) -> Floats:
    """σ² per component and shell; groups without particles keep theirs, empty shells copy the one before."""
    counts = pixels_per_shell(model.box_size).numpy()
    weight = sums.noise_weight.numpy()
    fresh = sums.noise.numpy() / (2 * np.maximum(weight, 1e-300)[:, None] * counts)
    result = np.where(weight[:, None] > 0, fresh, model.sigma2_noise)
    for shell in range(1, result.shape[1]):
        low = result[:, shell] < SMALLEST_NOISE
        result[low, shell] = result[low, shell - 1]
    return result


def _scales(
    settings: EmSettings, model: Model, sums: WeightedSums, cross_correlation: bool, momentum: float
) -> Floats:
    """Intensity scale of each group, clamped around the median and normalised to a weighted mean of 1.

    Averaged with the old before it is clamped: a single mini-batch knows little of a group.
    """
    if not settings.correct_scale or cross_correlation or len(model.scale) < 2:
        return model.scale
    cross, power = sums.scale_cross.numpy(), sums.scale_power.numpy()
    scale = np.where(power > 0, cross / np.maximum(power, 1e-300), 1.0)
    scale = momentum * model.scale + (1 - momentum) * scale
    median = float(np.median(scale))
    scale = np.clip(scale, median / 5, median * 5)
    weights = sums.scale_weight.numpy()
    return scale / max(float((scale * weights).sum() / max(weights.sum(), 1e-300)), 1e-300)
