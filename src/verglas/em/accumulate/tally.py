"""What a scored batch adds to the noise, scale and particle sums, and its rows of the assignments."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.images.pixels import sums_by_shell
from verglas.em.operands.operands import Operands
from verglas.em.operands.weighting import SMALLEST_SCALE, Weighted, noise_group
from verglas.em.state.particles import Assignments, Ints, Particles
from verglas.em.state.sums import WeightedSums


def note_poses(operands: Operands, found: Assignments, rows: Ints, old_px: Ints, outcome: Outcome) -> None:
    """The best poses of particles `rows`, searched around whole-pixel offsets `old_px` (b, 2)."""
    classes, angles = operands.pose_of(outcome.column)
    found.rot_deg[rows], found.tilt_deg[rows] = angles[:, 0].numpy(), angles[:, 1].numpy()
    found.psi_deg[rows] = np.remainder(angles[:, 2].numpy() + 180, 360) - 180
    found.class_index[rows] = classes.numpy()
    moves = operands.poses.fine_shifts_angst[outcome.shift].numpy()
    found.origin_yx_angst[rows] = old_px * operands.optics.pixel_size_angst + moves


def add_results(
    operands: Operands,
    particles: Particles,
    rows: Ints,
    images: Weighted,
    outcome: Outcome,
    sums: WeightedSums,
    found: Assignments,
    constants: Tensor,
) -> None:
    """What does not depend on how poses were searched: noise, scale, norm and likelihoods.

    `constants` (b,) as of `likelihood_constants`.
    """
    _add_noise(operands, particles, rows, images, outcome, sums)
    estep = operands.estep
    found.p_max[rows] = outcome.p_max.numpy()
    found.log_likelihood[rows] = log_likelihoods(operands, constants, outcome).numpy()
    unexplained = outcome.spectra.sum(1) + images.prepared.high_power.cpu().double()
    before = found.norm[rows] / estep.model.norm_average
    norm = before * np.sqrt(2 * unexplained.clamp_min(0).numpy())
    if estep.settings.correct_norm:
        found.norm[rows] = norm
    sums.norm += float(norm.sum())
    sums.log_likelihood += float(found.log_likelihood[rows].sum())
    sums.p_max += float(found.p_max[rows].sum())


def _add_noise(
    operands: Operands,
    particles: Particles,
    rows: Ints,
    images: Weighted,
    outcome: Outcome,
    sums: WeightedSums,
) -> None:
    settings, model = operands.estep.settings, operands.estep.model
    groups = torch.from_numpy(noise_group(settings, particles, rows))
    spectra = outcome.spectra + images.prepared.power_outside.cpu().double()
    sums.noise.index_add_(0, groups, spectra)
    sums.noise_weight.index_add_(0, groups, outcome.accepted)
    scales = torch.from_numpy(particles.scale_group[rows])
    s = torch.from_numpy(np.maximum(model.scale, SMALLEST_SCALE))[scales]
    sums.scale_cross.index_add_(0, scales, outcome.scale_sums[:, 0] / s)
    sums.scale_power.index_add_(0, scales, outcome.scale_sums[:, 1] / s**2)
    sums.scale_weight.index_add_(0, scales, torch.ones(len(rows), dtype=torch.float64))
    if operands.optics.ctf_premultiplied:
        power = sums_by_shell(images.prepared.ctf, operands.pixels.model_shells, model.n_shells)
        sums.ctf_power.index_add_(0, groups, power.cpu().double())


def likelihood_constants(images: Weighted) -> Tensor:
    """Σ |X|²/(2σ²) + Σ ln(2πσ²) per particle (b,), float64 on the CPU: the same for all poses.

    Made before anything is added to sums, because it needs large arrays.
    """
    noise = images.noise_power[:, 1:].double()
    misfit = (images.image_power[:, 1:].double() / (2 * noise)).sum(1)
    misfit += images.prepared.high_power.double() / 2
    return (misfit + torch.log(2 * torch.pi * noise).sum(1)).cpu()


def log_likelihoods(operands: Operands, constants: Tensor, outcome: Outcome) -> Tensor:
    """ln Σ π e^-D - Σ ln(2πσ²) per particle, with π normalised to 1 over the grid (refinement.md §2.10)."""
    if operands.estep.cross_correlation:
        return outcome.log_sum
    children = operands.poses.children * operands.poses.shift_children
    shifts = operands.poses.prior_shifts_angst.shape[0]
    return outcome.log_sum - constants - float(np.log(children * shifts))
