"""Which particles are none: the map beside two things that have no orientation.

A junk class with poses of its own would cost as much as the map. What ice, carbon and empty picks have in common is
that no orientation explains them: they are as well described by a smooth blob (the spherical average of the map) or
by nothing at all. Both need translations alone. The evidence for the map, summed over all orientations and
translations under the same priors, noise and resolution, is laid beside theirs; where the map loses, the particle
does not enter it. A half-set is judged by its own map.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.run.refinement import Refinement
from verglas.em.schedule.task import Task
from verglas.em.state.model import State
from verglas.em.state.particles import Floats, Ints
from verglas.fourier.gridding import real_radius

FIRST_SHARE = 0.1  # of junk, before any particle was judged
LEAST_SHARE, MOST_SHARE = 0.01, 0.5
ROUNDS = 20


def evidence_for_map(run: Refinement, state: State, likelihood: Floats, rows: Ints) -> Floats:
    """ln of how many times better the map explains each of `rows` than the better of blob and nothing, (m,).

    `likelihood` (n,) is that of a search over all orientations that began with `state`.
    """
    rivals = [
        _without_orientation(run, state, rows, [_blob(model.references) for model in state.models]),
        _without_orientation(
            run, state, rows, [torch.zeros_like(model.references) for model in state.models]
        ),
    ]
    return likelihood[rows] - (np.logaddexp(*rivals) - np.log(len(rivals)))


def junk_share(evidence: Floats) -> float:
    """The share of junk among judged particles (n,) that explains their evidence best."""
    share = FIRST_SHARE
    for _ in range(ROUNDS):
        share = float(np.mean(_junk_probability(evidence, share))) if len(evidence) else share
        share = min(max(share, LEAST_SHARE), MOST_SHARE)
    return share


def is_junk(evidence: Floats, share: float) -> np.ndarray:
    """Whether each particle is rather junk, with a prior share of it."""
    found: np.ndarray = _junk_probability(evidence, share) > 0.5
    return found


def _junk_probability(evidence: Floats, share: float) -> Floats:
    odds = np.clip(evidence + np.log(1 - share) - np.log(share), -500, 500)
    probability: Floats = 1 / (1 + np.exp(odds))
    return probability


def _without_orientation(run: Refinement, state: State, rows: Ints, references: list[Tensor]) -> Floats:
    """Log-likelihoods (m,) of particles under maps that look the same from everywhere: only offsets are searched."""
    settings = replace(run.settings, skip_rotate=True)
    models = [replace(model, references=each) for model, each in zip(state.models, references)]
    # a local search makes no slices of the whole grid, which nobody needs
    sampling = replace(state.sampling, local_sigma_deg=(1.0, 1.0, 1.0))
    source = run.sources[run.devices[0]] if len(set(run.devices)) == 1 else run.source
    judge = Refinement(
        settings, run.particles, source, replace(state, sampling=sampling, models=tuple(models)), run.devices
    )
    found = judge.expected(Task(state.iteration + 1, rows)).found
    children = 8**sampling.oversampling  # orientations that the likelihood is thought to be a mean over
    likelihood: Floats = found.log_likelihood[rows] + np.log(children)
    return likelihood


def _blob(references: Tensor) -> Tensor:
    """Spherical averages of maps (K, N, N, N)."""
    radius = real_radius(int(references.shape[-1]), 3, references.device).round().long().flatten()
    counts = torch.bincount(radius).to(references)
    sums = references.new_zeros((len(references), len(counts)))
    sums.index_add_(1, radius, references.flatten(1))
    return (sums / counts.clamp_min(1))[:, radius].view_as(references)
