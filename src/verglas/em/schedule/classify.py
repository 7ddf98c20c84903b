"""Classification by expectation-maximisation, 2D and 3D (refinement.md §2.13, §6)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from verglas.em.maximise.descent import subset
from verglas.em.maximise.maximisation import maximise
from verglas.em.schedule.common import advanced, aligns, fitted, is_cross_correlation, sized, usable_particles
from verglas.em.schedule.steps import coarser_sampling, finer_sampling
from verglas.em.schedule.task import Measure, Seen, Task
from verglas.em.start.seeds import share_among_copies
from verglas.em.state.model import State
from verglas.em.state.particles import Ints, Particles
from verglas.em.state.settings import EmSettings


@dataclass
class Classification:
    """A given number of iterations over all particles, or over subsets that grow."""

    settings: EmSettings
    notes: list[str] = field(default_factory=list)

    def before(self, state: State, particles: Particles, measure: Measure) -> tuple[Task, State]:
        settings, number = self.settings, state.iteration + 1
        state = sized(settings, state, number)
        order = self._order(usable_particles(state, len(particles)), number)
        by_correlation = is_cross_correlation(settings, number)
        if aligns(settings) and not by_correlation:
            state = measure(state, order)
        if settings.allow_coarser:
            state = fitted(replace(state, sampling=coarser_sampling(settings, state)))
        if settings.auto_sampling:
            state = fitted(finer_sampling(settings, state, number))
        task = Task(number, order, by_correlation, max_significants=settings.max_significants)
        return task, state

    def after(self, state: State, task: Task, seen: Seen, mask: Tensor | None) -> State:
        share_among_copies(self.settings, task.number, seen.sums[0])
        model = maximise(seen.esteps[0], seen.sums[0], mask)
        return advanced(self.settings, state, task, (model,), seen.found)

    def is_over(self, state: State) -> bool:
        return state.iteration >= self.settings.n_iterations

    def writes(self, state: State) -> bool:
        return True

    def _order(self, usable: Ints, number: int) -> Ints:
        settings = self.settings
        if not settings.fast_subsets:
            return usable
        size = fast_subset_size(len(usable), settings.n_classes, number, settings.dims)
        return subset(usable, size, settings.random_seed, number)


def fast_subset_size(n: int, n_classes: int, iteration: int, dims: int) -> int:
    """Particles of an early iteration with fast subsets (§6)."""
    unit = (100 if dims == 2 else 1500) * n_classes
    if iteration <= 5:
        return min(n, unit)
    if iteration <= 10:
        return min(n, 3 * unit)
    if iteration <= 15:
        return min(n, max(3 * unit, int(0.3 * n)))
    return n
