"""Several starts of a map from nothing compete; the one that explains unseen particles best goes on.

Each start is expectation-maximisation from random blobs, every iteration over a fresh subset of the particles: a
subset is cheap, and what its noise adds leads out of shallow valleys, in which maps of both hands are mixed.
Images reach far enough from the start (an eighth of the diameter, in the form): below that many wrong maps explain
particles as well as the right one. How good a start is shows in the likelihood of particles that no start has
seen: all are judged with the same particles, noise spectra, priors and image size, so only the maps differ.
Half of them go on after the first round. Figures: docs/initial-model.md. (No part of RELION.)
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
from verglas.em.state.settings import EmSettings, GradientSettings

ROUND = 30  # iterations of a round; fewer where the run itself is shorter
ROUNDS = 2
PARTICLES = 300  # of an iteration, for every class
JUDGES, JUDGES_SHARE = 300, 4  # particles that judge: so many, at most every fourth
_APART = 7919  # between the seeds of starts


@dataclass(frozen=True)
class Contest:
    """What each of S starts came to."""

    winner: Tensor  # (K, N, N, N): maps of the best start
    behind: Floats  # (S,) nats that a judge is on average less likely than under the best map of the start's last round
    deviations: Floats  # (S,) standard error of that
    rounds: Ints  # (S,) how many rounds each went through
    best: int

    def lines(self) -> list[str]:
        """For run.out."""
        return [*map(self._line, range(len(self.rounds))), f"Start {self.best + 1} goes on"]

    def _line(self, number: int) -> str:
        behind, error = self.behind[number], self.deviations[number]
        judged = f"log-likelihood of unseen particles {-behind:+.3f} each (± {error:.3f})"
        return f"Start {number + 1}: {judged} after round {self.rounds[number]}"


@dataclass(frozen=True)
class _Ring:
    """What all starts have in common."""

    settings: EmSettings  # of a start
    particles: Particles
    source: ImageSource
    assignments: Assignments  # in which the judges are set aside
    judges: Ints
    per_round: int  # iterations
    devices: Sequence[torch.device]
    ranks: Ranks | None
    watcher: Watcher

    def begun(self, number: int, n_classes: int, references: Tensor | None = None) -> Refinement:
        """Start `number`, from blobs or from a map."""
        seed = self.settings.random_seed + _APART * number
        return Refinement.start(
            replace(self.settings, n_classes=n_classes, random_seed=seed),
            self.particles,
            self.source,
            references=references,
            assignments=self.assignments.copy(),
            devices=self.devices,
            ranks=self.ranks,
        )

    def first(self, number: int) -> Refinement:
        """Every other start looks for one map first."""
        return self.begun(number, 1 if number % 2 else self.settings.n_classes)

    def second(self, number: int, run: Refinement) -> Refinement:
        """Start `number` in the second round: one map becomes as many classes as are asked for."""
        model = run.state.model
        if model.n_classes == self.settings.n_classes:
            return run
        return self.begun(number, self.settings.n_classes, model.references)

    def judged(self, runs: Sequence[Refinement]) -> Floats:
        """Let runs go through a round; log-likelihoods (runs, judges) in the end."""
        count = len(runs)
        self.watcher.start(
            f"{count} starts compete over {self.per_round} iterations each", count * self.per_round
        )
        for place, run in enumerate(runs):
            for done in range(self.per_round):
                run.iterate()
                self.watcher.update(place * self.per_round + done + 1)
        common = runs[0].state  # whose noise all are judged with
        return np.stack([likelihoods(run, _judged(common, run.state), self.judges) for run in runs])


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
    """Let `n_starts` starts compete over two rounds. `aside`: particles that are not used.

    Where several classes are asked for, every other start looks for one map first and deals the particles out among
    copies of it in the second round: classes that differ little are found so, unlike ones from the blobs of the rest.
    """
    judges = _judges(settings, len(particles), aside or {})
    without = Assignments.start(len(particles))
    without.set_aside.update((aside or {}) | dict.fromkeys(judges.tolist(), "judges the starts"))
    per_round = max(1, min(ROUND, settings.n_iterations // ROUNDS))
    watcher, of_starts = watcher or SilentWatcher(), _of_starts(settings, per_round)
    ring = _Ring(of_starts, particles, source, without, judges, per_round, devices, ranks, watcher)
    runs = {number: ring.first(number) for number in range(n_starts)}
    rounds, behind, deviations = np.zeros(n_starts, int), np.zeros(n_starts), np.zeros(n_starts)
    for done in range(ROUNDS):
        left = list(runs)
        behind[left], deviations[left] = _behind_the_best(ring.judged(list(runs.values())))
        rounds[left] += 1
        best = sorted(left, key=lambda number: behind[number])[: (len(left) + 1) // 2]
        if done + 1 < ROUNDS:
            runs = {number: ring.second(number, runs[number]) for number in best}
    winner = runs[best[0]].state.model.references.cpu()
    return Contest(winner, behind, deviations, rounds, best[0])


def _of_starts(settings: EmSettings, per_round: int) -> EmSettings:
    """Expectation-maximisation over subsets; images reach as far as asked first, then half way to the last limit."""
    given = settings.gradient or GradientSettings()
    first, last = given.ini_resolution_angst, given.fin_resolution_angst
    gradient = replace(
        given,
        ini_fraction=0.5,
        fin_fraction=0.5,
        fin_resolution_angst=2 / (1 / first + 1 / last) if first > 0 and last > 0 else first,
        em_iterations=ROUNDS * per_round + 1,
        em_particles=PARTICLES,
    )
    return replace(settings, gradient=gradient, n_iterations=gradient.em_iterations)  # the last is never done


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
    """The maps and class shares of one start, with what all have in common: noise, priors, image size, sampling.

    Nothing is known about the judges' offsets, and they are looked at to where the sampling can tell details apart.
    """
    old, new = common.model, state.model
    directions = np.repeat(new.class_weights[:, None], old.direction_weights.shape[1], 1)
    model = replace(
        new,
        direction_weights=directions / old.direction_weights.shape[1],
        sigma2_noise=old.sigma2_noise,
        scale=old.scale,
        norm_average=old.norm_average,
        sigma_offset_angst=old.sigma_offset_angst,
        current_size=old.current_size,
        current_resolution=old.current_resolution,
    )
    return replace(common, models=(model,), assignments=Assignments.start(len(common.assignments.norm)))


def _behind_the_best(scores: Floats) -> tuple[Floats, Floats]:
    """How far the mean of each row of scores (S, judges) lies below the best one's, and its standard error.

    With too few particles for judges all are as good.
    """
    if not scores.shape[1]:
        return np.zeros(len(scores)), np.zeros(len(scores))
    apart = scores[np.argmax(scores.mean(1))] - scores
    return apart.mean(1), apart.std(1) / np.sqrt(scores.shape[1])
