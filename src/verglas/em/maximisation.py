"""The maximisation step: new references, spectra and priors from the sums (refinement.md §3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.centring import centre_references, flatten_solvent
from verglas.em.hermitian import hermitian, symmetrised
from verglas.em.low_pass import low_pass, low_pass_window
from verglas.em.model import Model
from verglas.em.particles import Floats
from verglas.em.plan import Iteration, particle_diameter_angst
from verglas.em.settings import EmSettings
from verglas.em.shells import pixels_per_shell
from verglas.em.sums import WeightedSums
from verglas.em.wiener import ShellMap, divide, spectra_of_weights
from verglas.fourier.lattice import Lattice
from verglas.geometry.symmetry import PointGroup
from verglas.maps.reconstruct import to_real_space

MIN_SIGMA2_OFFSET_A2 = 2.0
SMALLEST_NOISE = 1e-14


def maximise(iteration: Iteration, sums: WeightedSums, solvent_mask: Tensor | None = None) -> Model:
    """The model after an iteration of expectation-maximisation."""
    settings, lattice = iteration.settings, iteration.projector.lattice
    model = update_parameters(settings, iteration.model, sums, iteration.cross_correlation)
    model = _new_references(iteration, model, sums, lattice)
    references = model.references
    if settings.center_classes:
        references = centre_references(references, settings.offset_range_px)
    if settings.flatten_solvent:
        radius = particle_diameter_angst(settings, model) / (2 * model.pixel_size_angst)
        references = flatten_solvent(references, radius, solvent_mask)
    return replace(model, references=references)


def _new_references(
    iteration: Iteration, model: Model, sums: WeightedSums, lattice: Lattice
) -> Model:
    settings = iteration.settings
    where = ShellMap.of(lattice, model.n_shells)
    power = iteration.projector.power.cpu()  # (K, S): τ² of this iteration
    tau2, ssnr = np.zeros_like(model.tau2), np.zeros_like(model.tau2)
    sigma2, coverage = np.zeros_like(model.tau2), np.zeros_like(model.tau2)
    operators = PointGroup.of(settings.symmetry).operators
    maps = []
    for k in range(model.n_classes):
        if float(sums.class_weight[k]) <= 0:
            maps.append(torch.zeros_like(model.references[k]))
            continue
        data, weight = symmetrised(
            hermitian(sums.data[k]), hermitian(sums.weight[k]), lattice, operators
        )
        spectra = spectra_of_weights(weight, power[k], settings.tau2_fudge, where)
        values = divide(
            data, weight, where, power[k] if settings.do_map else None, settings.tau2_fudge,
            keep_edge=settings.parity.keep_edge_voxels,
        )  # fmt: skip
        maps.append(to_real_space(values, lattice, model.box_size).to(model.references))
        tau2[k], ssnr[k] = power[k].numpy(), spectra.data_vs_prior.numpy()
        sigma2[k], coverage[k] = spectra.sigma2_reference.numpy(), spectra.coverage.numpy()
    return replace(
        model, references=torch.stack(maps), tau2=tau2, data_vs_prior=ssnr,
        sigma2_reference=sigma2, coverage=coverage,
    )  # fmt: skip


def update_parameters(
    settings: EmSettings, model: Model, sums: WeightedSums, cross_correlation: bool, momentum: float = 0.0
) -> Model:  # fmt: skip
    """Priors, noise, norm and scale from the sums (§3.8); `momentum` μ of gradient iterations."""
    total = float(sums.total)
    if total <= 0:
        return model

    def averaged(old: Floats, new: Floats) -> Floats:
        return momentum * old + (1 - momentum) * new

    class_weights = averaged(model.class_weights, sums.class_weight.numpy() / total)
    directions = averaged(model.direction_weights, sums.direction_weight.numpy() / total)
    norm_average = float(averaged(np.array(model.norm_average), sums.norm.numpy() / total))
    variance = float(sums.sigma2_offset) / (2 * total)
    variance = momentum * model.sigma_offset_angst**2 + (1 - momentum) * variance
    keep_offset = settings.fix_sigma_offset
    return replace(
        model,
        class_weights=class_weights / class_weights.sum(),
        direction_weights=directions,
        class_offsets_angst=averaged(model.class_offsets_angst, _class_offsets(settings, sums)),
        sigma_offset_angst=model.sigma_offset_angst if keep_offset
        else float(np.sqrt(max(variance, MIN_SIGMA2_OFFSET_A2))),
        sigma2_noise=model.sigma2_noise if cross_correlation or settings.fix_sigma_noise
        else averaged(model.sigma2_noise, _noise(model, sums)),
        norm_average=norm_average if settings.correct_norm else model.norm_average,
        scale=averaged(model.scale, _scales(settings, model, sums, cross_correlation)),
        log_likelihood=float(sums.log_likelihood),
        average_p_max=float(sums.p_max) / total,
    )  # fmt: skip


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
    settings: EmSettings, model: Model, sums: WeightedSums, cross_correlation: bool
) -> Floats:
    """Intensity scale of each group, clamped around the median and normalised to a weighted mean of 1."""
    if not settings.correct_scale or cross_correlation or len(model.scale) < 2:
        return model.scale
    cross, power = sums.scale_cross.numpy(), sums.scale_power.numpy()
    scale = np.where(power > 0, cross / np.maximum(power, 1e-300), 1.0)
    median = float(np.median(scale))
    scale = np.clip(scale, median / 5, median * 5)
    weights = sums.scale_weight.numpy()
    return scale / max(float((scale * weights).sum() / max(weights.sum(), 1e-300)), 1e-300)


def limited_to(model: Model, resolution_angst: float) -> Model:
    """References low-passed again after a cross-correlation iteration, their spectra tapered alike (§3.8)."""
    window = low_pass_window(
        torch.arange(model.n_shells, dtype=torch.float64), model.extent_angst / resolution_angst
    ).numpy()
    references = low_pass(model.references, model.pixel_size_angst, resolution_angst)
    return replace(
        model, references=references, tau2=model.tau2 * window**2,
        data_vs_prior=model.data_vs_prior * window**2,
    )  # fmt: skip
