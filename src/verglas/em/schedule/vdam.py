"""Mini-batches with momentum instead of full iterations (refinement.md §7)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from verglas.em.maximise.descent import (
    GradientStep,
    descend,
    gradient_step,
    limit_angst,
    phases,
    replace_inactive,
    start_moments,
    subset,
)
from verglas.em.maximise.maximisation import maximise
from verglas.em.schedule.common import advanced, aligns, fitted, is_cross_correlation, sized, usable_particles
from verglas.em.schedule.steps import GRADIENT_EVERY, coarser_sampling, finer_sampling
from verglas.em.schedule.task import Measure, Seen, Task
from verglas.em.start.seeds import share_among_copies
from verglas.em.state.model import State
from verglas.em.state.particles import Particles
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.fourier.rounding import nearest
from verglas.maps.reconstruction import MIN_REGULARISED_SHELL

MOST_POSES = {2: 5, 3: 100}  # significant poses per class, by dimensions of the reference


@dataclass
class MiniBatches:
    """Batches that grow, steps that shrink; iterations of expectation-maximisation where asked."""

    settings: EmSettings
    gradient: GradientSettings
    notes: list[str] = field(default_factory=list)

    def before(self, state: State, particles: Particles, measure: Measure) -> tuple[Task, State]:
        settings, number = self.settings, state.iteration + 1
        limit = limit_angst(settings, self.gradient, number)
        state = _limited(sized(settings, state, number), limit)
        step = self._step(number, len(particles))
        order = usable_particles(state, len(particles))
        size = self._most_in_em(number, len(order)) if step is None else step.subset
        order = subset(order, size, settings.random_seed, number)
        by_correlation = is_cross_correlation(settings, number)
        if aligns(settings) and not by_correlation and self._measures(number, step):
            state = measure(state, order)
        if settings.allow_coarser:
            state = fitted(replace(state, sampling=coarser_sampling(settings, state)))
        blurred = limit > 0 and number < phases(settings, self.gradient)[0]
        if settings.auto_sampling and not blurred:
            state = fitted(finer_sampling(settings, state, number))
        most = settings.max_significants
        if step is not None and most <= 0:
            most = MOST_POSES[settings.dims] * settings.n_classes
        return Task(number, order, by_correlation, step, max_significants=most), state

    def after(self, state: State, task: Task, seen: Seen, mask: Tensor | None) -> State:
        estep, sums, step = seen.esteps[0], seen.sums[0], task.gradient
        if step is None:
            share_among_copies(self.settings, task.number, sums)
            model = maximise(estep, sums, mask)
            return advanced(self.settings, state, task, (model,), seen.found)
        moments = state.moments or start_moments(self.settings, state.model, estep.device)
        model, moments = descend(estep, sums, step, moments, mask)
        threshold = self.gradient.class_inactivity_threshold
        if step.may_replace and threshold > 0:
            model, moments, replaced = replace_inactive(model, moments, threshold)
            if replaced is not None:
                self.notes.append(f"Class {replaced + 1} was inactive and is replaced by a copy")
        state = replace(state, moments=moments)
        return advanced(self.settings, state, task, (model,), seen.found)

    def is_over(self, state: State) -> bool:
        return state.iteration >= self.settings.n_iterations

    def writes(self, state: State) -> bool:
        return self.is_over(state) or state.iteration % self.gradient.write_every == 0

    def _step(self, number: int, n_particles: int) -> GradientStep | None:
        """What a mini-batch iteration uses; None for an iteration of expectation-maximisation."""
        if number == 1 and self.settings.firstiter_cc:
            return None
        if number > self.settings.n_iterations - self.gradient.em_iterations:
            return None
        return gradient_step(self.settings, self.gradient, n_particles, number)

    def _most_in_em(self, number: int, usable: int) -> int:
        """Particles of an iteration of expectation-maximisation: a first map does not need all of many."""
        settings = self.settings
        every_class = number == settings.n_iterations and settings.n_classes > 1
        return (
            usable if not settings.denovo or every_class else self.gradient.em_particles * settings.n_classes
        )

    def _measures(self, number: int, step: GradientStep | None) -> bool:
        """Whether iteration `number` estimates accuracies: mini-batches do now and then (§2.13)."""
        now_and_then = number <= 1 or number % GRADIENT_EVERY == 0
        return step is None or now_and_then or number == self.settings.n_iterations


def _limited(state: State, limit_angst: float) -> State:
    """The state whose images reach no further than a resolution; 0: as far as they do."""
    if limit_angst <= 0:
        return state
    most = 2 * max(MIN_REGULARISED_SHELL, nearest(state.model.extent_angst / limit_angst))
    models = (replace(model, current_size=min(model.current_size, most)) for model in state.models)
    return state.with_models(*models)
