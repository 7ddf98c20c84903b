"""3D auto-refine: two half-sets, sampling that refines itself, a last iteration that joins them (refinement.md §5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from verglas.em.maximise.halves import is_high_at_limit, maximise_halves, shells_to_add
from verglas.em.schedule.common import advanced, aligns, fitted, is_cross_correlation, sized, usable_particles
from verglas.em.schedule.steps import refined_sampling
from verglas.em.schedule.task import Measure, Seen, Task
from verglas.em.state.model import State
from verglas.em.state.particles import Particles
from verglas.em.state.settings import EmSettings, HalvesSettings

MOST_ITERATIONS = 999


@dataclass
class AutoRefine:
    """Iterations until neither resolution nor assignments gain anything, and one more with all data."""

    settings: EmSettings
    halves: HalvesSettings
    notes: list[str] = field(default_factory=list)

    def before(self, state: State, particles: Particles, measure: Measure) -> tuple[Task, State]:
        settings, number = self.settings, state.iteration + 1
        state = self._with_convergence(state)
        state = sized(settings, state, number, whole=state.converged)
        order = usable_particles(state, len(particles))
        by_correlation = is_cross_correlation(settings, number)
        if aligns(settings) and not by_correlation:
            state = measure(state, particles.of_half(order, 0))
        if aligns(settings) and number > 1 and not state.converged:
            state = self._with_sampling(state)
        task = Task(
            number, order, by_correlation, joined=state.converged, max_significants=settings.max_significants
        )
        return task, state

    def after(self, state: State, task: Task, seen: Seen, mask: Tensor | None) -> State:
        result = maximise_halves(seen.esteps, seen.sums, mask, joined=task.joined)
        size = state.model.current_size
        state = replace(
            state,
            joined=task.joined,
            incr_size=shells_to_add(result.fsc, state.incr_size),
            has_high_fsc=state.has_high_fsc or is_high_at_limit(result.fsc, size),
        )
        return advanced(self.settings, state, task, result.models, seen.found)

    def is_over(self, state: State) -> bool:
        return state.joined or state.iteration >= min(MOST_ITERATIONS, self.settings.n_iterations)

    def writes(self, state: State) -> bool:
        return True

    def has_settled(self, state: State) -> bool:
        """Whether neither resolution nor assignments gain anything more (§5.5)."""
        settled = state.hidden_stalled >= 1 or self.halves.ignore_angles
        return state.fine_enough and state.resolution_stalled >= 1 and settled

    def _with_convergence(self, state: State) -> State:
        """Whether the next iteration is the last (§5.5)."""
        if state.converged or not self.has_settled(state):
            return state
        self.notes += [
            "Auto-refine: Refinement has converged, entering last iteration where two halves will be "
            "combined...",
            "Neither the resolution nor the assignments gain any more; the last iteration uses all data up to "
            "Nyquist and takes more time and memory than those before",
        ]
        return replace(state, converged=True)

    def _with_sampling(self, state: State) -> State:
        refined = refined_sampling(self.settings, self.halves, state)
        before, after = state.sampling, refined.sampling
        if after is not before:
            self.notes.append(
                f"Resolution and assignments have settled: angular sampling {before.fine_angular_step_deg:.3g} "
                f"-> {after.fine_angular_step_deg:.3g} degrees, offsets {before.fine_offset_step_angst:.3g} -> "
                f"{after.fine_offset_step_angst:.3g} A"
            )
            if after.is_local and not before.is_local:
                self.notes.append(
                    f"Searches are local from here on, within {3 * after.local_sigma_deg[0]:.3g} degrees "
                    "of each particle's last orientation"
                )
        elif refined.fine_enough and not state.fine_enough:
            self.notes.append(
                f"The angular sampling of {before.fine_angular_step_deg:.3g} degrees is finer than 75 % of "
                f"the accuracy ({state.accuracy_rot_deg:.3g} degrees): it stays"
            )
        return fitted(refined)
