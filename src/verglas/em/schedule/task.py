"""What an iteration is to do, and who decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from verglas.em.maximise.descent import GradientStep
from verglas.em.operands.operands import EStep
from verglas.em.state.model import State
from verglas.em.state.particles import Assignments, Ints, Particles
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums


@dataclass(frozen=True)
class Task:
    """One iteration: which particles, how they are scored."""

    number: int
    order: Ints  # particles, of all half-sets
    cross_correlation: bool = False
    gradient: GradientStep | None = None  # a mini-batch
    joined: bool = False  # the last iteration of two half-sets
    max_significants: int = -1


@dataclass(frozen=True)
class Seen:
    """What an expectation step found: its inputs and sums, one of each per half-set, and new assignments."""

    esteps: Sequence[EStep]
    sums: Sequence[WeightedSums]
    found: Assignments


Measure = Callable[[State, Ints], State]


class Schedule(Protocol):
    """Decides what an iteration does and what follows from it."""

    settings: EmSettings
    notes: list[str]  # what the user should hear; emptied by who tells it

    def before(self, state: State, particles: Particles, measure: Measure) -> tuple[Task, State]:
        """The next iteration, and the state with its sizes and sampling.

        `measure` gives the state with accuracies estimated from some of the particles.
        """
        ...

    def after(self, state: State, task: Task, seen: Seen, mask: Tensor | None) -> State:
        """The state at the end of an iteration that began with `state`."""
        ...

    def is_over(self, state: State) -> bool:
        """Whether there is nothing left to do."""
        ...

    def writes(self, state: State) -> bool:
        """Whether the files of the iteration just done are wanted."""
        ...
