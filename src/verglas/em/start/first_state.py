"""The state before the first iteration (refinement.md §4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.references import first_low_pass
from verglas.em.maximise.resolution import current_image_size, initial_data_vs_prior, new_resolution
from verglas.em.poses.grid import directions
from verglas.em.start.initialise import (
    NoiseSums,
    first_model,
    initial_references,
    noise_spectra,
    reference_power,
)
from verglas.em.state.model import Model, State
from verglas.em.state.particles import Assignments, Particles
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings
from verglas.fourier.rounding import nearest

OFFSET_PRIOR_ANGST = 10.0
OWN_OFFSET_PRIOR_ANGST = 2.5  # averages of the particles as they are have no better centre


def first_state(
    settings: EmSettings,
    particles: Particles,
    sums: NoiseSums,
    references: Tensor | None,
    box: int,
    pixel_size_angst: float,
    assignments: Assignments | None,
) -> tuple[EmSettings, State]:
    """Settings with what was left open in them, and the state, from the sums over some particles.

    `references` (n, N, N) or (n, N, N, N), n = 1 or K, are low-passed; None: made from the particles.
    """
    if settings.sigma_offset_angst <= 0:
        own = settings.dims == 2 and references is None
        prior = OWN_OFFSET_PRIOR_ANGST if own else OFFSET_PRIOR_ANGST
        settings = replace(settings, sigma_offset_angst=prior)
    if references is None:
        shell = nearest(0.07 * box)
        ini_high = settings.ini_high_angst
        ini_high = ini_high if ini_high > 0 else box * pixel_size_angst / shell
        settings = replace(settings, ini_high_angst=ini_high)
        references = initial_references(settings, sums, ini_high, pixel_size_angst)
    else:
        settings = replace(settings, one_seed=len(references) == 1 < settings.n_classes)
        references = first_low_pass(references.double(), pixel_size_angst, settings.ini_high_angst)
        references = references.expand(settings.n_classes, *references.shape[1:]).clone()
    sampling = Sampling.of(settings, pixel_size_angst)
    model = _model(settings, particles, sums, references, pixel_size_angst, sampling)
    assignments = assignments or Assignments.start(len(particles))
    corrected = settings.refs_are_ctf_corrected
    models = (model,) if settings.halves is None else (model, replace(model))
    return settings, State(
        0, models, assignments, sampling, refs_are_ctf_corrected=corrected, incr_size=settings.incr_size
    )


def _model(
    settings: EmSettings,
    particles: Particles,
    sums: NoiseSums,
    references: Tensor,
    pixel_size_angst: float,
    sampling: Sampling,
) -> Model:
    sigma2, n_groups = noise_spectra(sums), len(particles.group_names)
    if settings.parity.noise_per_scale_group:
        sigma2 = np.repeat(sigma2[:1], n_groups, 0)
    n_directions = len(directions(sampling)) if settings.dims == 3 else 1
    references = references.to(torch.float64 if settings.double else torch.float32)
    model = first_model(settings, references, sigma2, pixel_size_angst, n_directions, n_groups)
    power = reference_power(model.references)
    ratio = initial_data_vs_prior(settings, model, power, len(particles))
    model = replace(model, tau2=power, data_vs_prior=ratio)
    model = replace(model, current_resolution=new_resolution(settings, model, 0))
    return replace(model, current_size=current_image_size(model, settings.incr_size, False))
