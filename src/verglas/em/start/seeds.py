"""Several classes that begin as one reference: without help they would stay the same (refinement.md §2.11).

In one iteration every particle may belong to one class only, drawn at random. A first iteration that scores by
correlation comes before it, and its sums are those of all classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verglas.em.state.particles import Ints
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums

_STREAM = 11  # of random numbers, of the run's seed


def seed_log_prior(settings: EmSettings, iteration: int, numbers: Ints) -> Tensor | None:
    """ln of which class each particle may belong to, (b, K): 0 or -inf; None where all classes compete."""
    if not settings.one_seed or iteration != _dealing_iteration(settings):
        return None
    rng = np.random.default_rng((settings.random_seed, _STREAM))
    drawn = rng.integers(0, settings.n_classes, int(numbers.max()) + 1)[numbers]
    prior = torch.full((len(numbers), settings.n_classes), -torch.inf, dtype=torch.float64)
    prior[torch.arange(len(numbers)), torch.from_numpy(drawn)] = 0
    return prior


def share_among_copies(settings: EmSettings, iteration: int, sums: WeightedSums) -> None:
    """Before particles are dealt out, every class takes the sums of all: copies cannot be told apart."""
    if not settings.one_seed or iteration >= _dealing_iteration(settings):
        return
    for whole in (sums.data, sums.weight):
        whole[:] = whole.sum(0, keepdim=True)
    for shared in (sums.class_weight, sums.direction_weight, sums.class_offset):
        shared[:] = shared.mean(0, keepdim=True)


def _dealing_iteration(settings: EmSettings) -> int:
    return 2 if settings.firstiter_cc else 1
