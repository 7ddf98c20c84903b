"""Several starts of a refinement from nothing compete; the one that explains unseen particles best goes on.

A map from random blobs may end in a wrong valley, from which mini-batches do not lead out. How good a start is shows
after a few mini-batches in the likelihood of particles that no start has seen: all starts are judged with the
same particles, noise spectra, priors and image size, so only the maps differ. (No part of RELION.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.run.refinement import Refinement
from verglas.em.run.watcher import SilentWatcher, Watcher
from verglas.em.schedule.task import Task
from verglas.em.state.combine import Ranks
from verglas.em.state.model import State
from verglas.em.state.particles import Assignments, Floats, ImageSource, Ints, Particles
from verglas.em.state.settings import EmSettings

BATCHES = 25  # mini-batches of each start
BATCHES_SHARE = 4  # of a run of few iterations: one for every so many of them
JUDGES, JUDGES_SHARE = 300, 4  # particles that judge: so many, at most every fourth
_APART = 7919  # between the seeds of starts


@dataclass(frozen=True)
class Contest:
    """What each start came to. `likelihoods` (S,) are means over the particles that judge, in nats."""

    references: Tensor  # (S, K, N, N, N)
    likelihoods: Floats
    deviations: Floats  # (S,) standard error of each one's distance from the best
    best: int

    @property
    def winner(self) -> Tensor:
        """Maps (K, N, N, N) of the best start."""
        return self.references[self.best]

    def lines(self) -> list[str]:
        """For run.out."""
        found = [
            f"Start {number + 1}: log-likelihood of unseen particles {value - self.likelihoods.max():+.3f} each "
            f"(± {error:.3f})"
            for number, (value, error) in enumerate(zip(self.likelihoods, self.deviations))
        ]
        return [*found, f"Start {self.best + 1} goes on"]


def compete(
    settings: EmSettings,
    particles: Particles,
    source: ImageSource,
    n_starts: int,
    *,
    aside: dict[int, str] | None = None,
    devices: Sequence[torch.device] = (torch.device("cpu"),),
    ranks: Ranks | None = None,
    watcher: Watcher | None = None,
) -> Contest:
    """Run `n_starts` starts for a few mini-batches each, and judge them. `aside`: particles that are not used."""
    watcher, aside = watcher or SilentWatcher(), aside or {}
    judges = _judges(settings, len(particles), aside)
    without = Assignments.start(len(particles))
    without.set_aside.update(aside | dict.fromkeys(judges.tolist(), "judges the starts"))
    batches = max(1, min(BATCHES, settings.n_iterations // BATCHES_SHARE))
    watcher.start(f"{n_starts} starts compete over {batches} mini-batches each", n_starts * batches)
    first: Refinement | None = None
    references, scores = [], []
    for number in range(n_starts):
        run = Refinement.start(
            replace(settings, random_seed=settings.random_seed + _APART * number),
            particles,
            source,
            assignments=without.copy(),
            devices=devices,
            ranks=ranks,
        )
        common = first.state if first is not None else run.state
        for done in range(batches):
            run.iterate()
            watcher.update(number * batches + done + 1)
        first = first or replace(run, state=common)
        references.append(run.state.model.references.cpu())
        scores.append(likelihoods(first, _judged(common, run.state), judges))
    return _contest(torch.stack(references), np.stack(scores))


def likelihoods(run: Refinement, state: State, rows: Ints) -> Floats:
    """Log-likelihood of each of some particles under the model of `state`; (n,)."""
    judge = Refinement(run.settings, run.particles, run.source, state, run.devices, run.ranks)
    seen = judge.expected(Task(state.iteration + 1, rows, max_significants=run.settings.max_significants))
    return seen.found.log_likelihood[rows]


def _judges(settings: EmSettings, n: int, aside: dict[int, str]) -> Ints:
    """Particles that no start sees."""
    usable = np.setdiff1d(np.arange(n), list(aside))
    count = min(JUDGES, len(usable) // JUDGES_SHARE)
    order = np.random.default_rng((settings.random_seed, 11)).permutation(usable)
    return np.sort(order[:count])


def _judged(common: State, state: State) -> State:
    """What all starts have in common, with the maps and class shares of one of them.

    Nothing is known about the judges' offsets, and they are looked at to where the sampling can tell details apart.
    """
    old, new = common.model, state.model
    shares = new.class_weights[:, None] / old.direction_weights.shape[1]
    directions = np.repeat(shares, old.direction_weights.shape[1], 1)
    model = replace(
        old, references=new.references, class_weights=new.class_weights, direction_weights=directions
    )
    return replace(common, models=(model,), assignments=Assignments.start(len(common.assignments.norm)))


def _contest(references: Tensor, scores: Floats) -> Contest:
    means = scores.mean(1)
    best = int(np.argmax(means))
    apart = scores - scores[best]
    errors = apart.std(1) / np.sqrt(max(1, scores.shape[1]))
    return Contest(references, means, errors, best)
