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
    watcher, aside = watcher or SilentWatcher(), aside or {}
    judges = _judges(settings, len(particles), aside)
    without = Assignments.start(len(particles))
    without.set_aside.update(aside | dict.fromkeys(judges.tolist(), "judges the starts"))
    per_round = max(1, min(ROUND, settings.n_iterations // ROUNDS))
    settings = _of_starts(settings, per_round)

    def begun(number: int, n_classes: int, references: Tensor | None = None) -> Refinement:
        own = replace(settings, n_classes=n_classes, random_seed=settings.random_seed + _APART * number)
        return Refinement.start(
            own,
            particles,
            source,
            references=references,
            assignments=without.copy(),
            devices=devices,
            ranks=ranks,
        )

    def moved_on(number: int, run: Refinement) -> Refinement:
        n = run.state.model.n_classes
        return (
            run if n == settings.n_classes else begun(number, settings.n_classes, run.state.model.references)
        )

    runs = [begun(number, 1 if number % 2 else settings.n_classes) for number in range(n_starts)]
    rounds, behind, deviations = np.zeros(n_starts, int), np.zeros(n_starts), np.zeros(n_starts)
    left = list(range(n_starts))
    while rounds.max() < ROUNDS:
        watcher.start(f"{len(left)} starts compete over {per_round} iterations each", len(left) * per_round)
        scores: list[Floats] = []
        common = runs[left[0]]
        for place, number in enumerate(left):
            for done in range(per_round):
                runs[number].iterate()
                watcher.update(place * per_round + done + 1)
            if place == 0:
                common = replace(common)  # as it is now: all are judged with the noise that it found
            scores.append(likelihoods(runs[number], _judged(common.state, runs[number].state), judges))
        rounds[left] += 1
        behind[left], deviations[left] = _behind_the_best(np.stack(scores))
        order = np.argsort(behind[left], kind="stable")
        left = [left[place] for place in order[: max(1, (len(left) + 1) // 2)]]
        for number in left:
            runs[number] = moved_on(number, runs[number])
    return Contest(runs[left[0]].state.model.references.cpu(), behind, deviations, rounds, left[0])


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
    """How far the mean of each row of scores (S, judges) lies below the best one's, and its standard error."""
    apart = scores[np.argmax(scores.mean(1))] - scores
    return apart.mean(1), apart.std(1) / np.sqrt(max(1, scores.shape[1]))
