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

from verglas.em.poses.grid import OrientationGrid
from verglas.em.run.refinement import Refinement
from verglas.em.schedule.task import Task
from verglas.em.state.model import State
from verglas.em.state.particles import Floats, Ints
from verglas.em.state.sampling import Sampling
from verglas.fourier.gridding import real_radius

FIRST_SHARE = 0.1  # of junk, before any particle was judged
LEAST_SHARE, MOST_SHARE = 0.01, 0.5
ROUNDS = 20
NEIGHBOURS = (
    2 * np.pi * np.e
) ** 1.5  # orientations within a normal density of one coarse step along each axis


def evidence_for_map(run: Refinement, state: State, wide: Sampling, likelihood: Floats, rows: Ints) -> Floats:
    """ln of how many times better the map explains each of `rows` than blob and nothing together, (m,).

    `likelihood` (n,) is that of a local search that began with `state`, in its range the mean over all poses. A mean
    over all there are, within the offsets of the sampling `wide`, is less by the share of poses that were looked at.
    """
    sampling = replace(
        state.sampling, offset_range_angst=wide.offset_range_angst, offset_step_angst=wide.offset_step_angst
    )
    centred = replace(state.assignments, origin_yx_angst=np.zeros_like(state.assignments.origin_yx_angst))
    everywhere = replace(state, sampling=sampling, assignments=centred)
    blobs = [_blob(model.references) for model in state.models]
    rivals = [
        _without_orientation(run, everywhere, rows, references)
        for references in (blobs, [torch.zeros_like(blob) for blob in blobs])
    ]
    mean = np.logaddexp(*rivals) - np.log(len(rivals))
    found: Floats = likelihood[rows] - _log_share_not_seen(state, wide) - mean
    return found


def _log_share_not_seen(state: State, wide: Sampling) -> float:
    """ln of how many times more poses there are than a local search looks at, by the width of its priors."""
    turns = len(OrientationGrid.of(state.sampling)) / NEIGHBOURS
    moves = (wide.offset_range_angst / state.sampling.offset_range_angst) ** 2
    return float(np.log(max(turns, 1.0)) + np.log(max(moves, 1.0)))


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
    source = run.sources[run.devices[0]] if len(set(run.devices)) == 1 else run.source
    judge = Refinement(settings, run.particles, source, replace(state, models=tuple(models)), run.devices)
    found = judge.expected(Task(state.iteration + 1, rows)).found
    children = 8**state.sampling.oversampling  # orientations that the likelihood is thought to be a mean over
    likelihood: Floats = found.log_likelihood[rows] + np.log(children)
    return likelihood


def _blob(references: Tensor) -> Tensor:
    """Spherical averages of maps (K, N, N, N)."""
    radius = real_radius(int(references.shape[-1]), 3, references.device).round().long().flatten()
    counts = torch.bincount(radius).to(references)
    sums = references.new_zeros((len(references), len(counts)))
    sums.index_add_(1, radius, references.flatten(1))
    return (sums / counts.clamp_min(1))[:, radius].view_as(references)
