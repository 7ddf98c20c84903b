"""A refinement from start to end: what happens in which order (refinement.md §2.13, §3.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from verglas.compute.gemm import precision_of_products
from verglas.em.maximise.descent import (
    GradientStep,
    descend,
    gradient_step,
    replace_inactive,
    start_moments,
    subset,
)
from verglas.em.maximise.maximisation import limited_to, maximise
from verglas.em.maximise.resolution import current_image_size, new_resolution
from verglas.em.operands.plan import Iteration
from verglas.em.poses.grid import directions, pose_grid
from verglas.em.run.lanes import expect, lanes
from verglas.em.run.memory import memory_need
from verglas.em.run.watcher import SilentWatcher, Watcher, sampling_lines
from verglas.em.schedule.accuracy import estimate_accuracies, trial_particles
from verglas.em.schedule.changes import changes
from verglas.em.schedule.steps import (
    GRADIENT_EVERY,
    coarser_sampling,
    finer_sampling,
    fitted_directions,
    with_settled,
)
from verglas.em.start.first_state import first_state
from verglas.em.start.initialise import (
    noise_sums,
    particle_order,
    sample_for_noise,
)
from verglas.em.state.combine import Alone, Ranks, share
from verglas.em.state.model import State
from verglas.em.state.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums
from verglas.fourier.projector import Projector

CPU = torch.device("cpu")


@dataclass
class Refinement:
    """Everything one process needs to refine; `state` moves forward with each call of `iterate`."""

    settings: EmSettings
    particles: Particles
    source: ImageSource
    state: State
    devices: tuple[torch.device, ...] = (torch.device("cpu"),)
    ranks: Ranks = field(default_factory=Alone)
    watcher: Watcher = field(default_factory=SilentWatcher)
    solvent_mask: Tensor | None = None

    @classmethod
    def start(
        cls, settings: EmSettings, particles: Particles, source: ImageSource,
        *, references: Tensor | None = None, pixel_size_angst: float | None = None,
        assignments: Assignments | None = None, devices: Sequence[torch.device] = (CPU,),
        ranks: Ranks | None = None, watcher: Watcher | None = None,
    ) -> Refinement:  # fmt: skip
        """A new run: noise spectra and, where none are given, references from the particles themselves."""
        watcher = watcher or SilentWatcher()
        first = particles.optics[0]
        pixel_size = pixel_size_angst or first.pixel_size_angst
        box = int(references.shape[-1]) if references is not None else first.box_size
        order = particle_order(len(particles), settings.random_seed, particles.optics_group)
        ranks = ranks or Alone()
        n_sample = len(sample_for_noise(particles, order)) // ranks.size
        watcher.start("Estimating initial noise spectra ", n_sample)
        sums = noise_sums(
            settings, particles, source, order, box, watcher.update, ranks.rank, ranks.size
        )
        watcher.update(n_sample)
        ranks.add(sums)
        settings, state = first_state(
            settings, particles, sums, references, box, pixel_size, assignments
        )
        return cls(settings, particles, source, state, tuple(devices), ranks, watcher)

    @classmethod
    def resume(
        cls, settings: EmSettings, particles: Particles, source: ImageSource, state: State, *,
        devices: Sequence[torch.device] = (CPU,), ranks: Ranks | None = None, watcher: Watcher | None = None,
    ) -> Refinement:  # fmt: skip
        """A run that goes on from the end of an iteration."""
        state = replace(state, sampling=replace(state.sampling, perturb=settings.perturb))
        if settings.parity.forget_class_prior and settings.dims == 2:
            flat = np.full_like(state.model.direction_weights, 1 / settings.n_classes)
            state = replace(state, model=replace(state.model, direction_weights=flat))
        if state.moments is not None:
            state = replace(state, moments=state.moments.to(devices[0]))
        if settings.dims == 3:
            model = fitted_directions(state.model, len(directions(state.sampling)))
            state = replace(state, model=model)
        watcher = watcher or SilentWatcher()
        return cls(settings, particles, source, state, tuple(devices), ranks or Alone(), watcher)

    def writes_this_iteration(self) -> bool:
        """Whether the files of the iteration just done are wanted."""
        gradient = self.settings.gradient
        if gradient is None or self.state.iteration == self.settings.n_iterations:
            return True
        return self.state.iteration % gradient.write_every == 0

    def iterate(self) -> None:
        """One iteration: expectation over the particles, combination, maximisation."""
        number = self.state.iteration + 1
        self._set_sizes(number)
        step = self._gradient_step(number)
        order = self.order(number, step)
        mine = share(order, self.ranks.rank, self.ranks.size)
        projectors = {device: self._projector(device) for device in set(self.devices)}
        if self._estimates_accuracies(number, step):
            self._estimate_accuracies(projectors[self.devices[0]], order)
        self._choose_steps(number)
        prepared = {
            d: self.prepare(number, d, step, projector) for d, projector in projectors.items()
        }
        threads = lanes(self.devices, len(mine), self.settings.dims, self._bytes_of_sums())
        steps = [prepared[device] for device in threads]
        self._announce(steps[0], number, len(mine))
        with precision_of_products(self.settings.precision):
            done = expect(steps, self.particles, self.source, mine, self.watcher.update)
        self.watcher.update(len(mine))
        for note in sorted(done.notes):
            self.watcher.say(note)
        self.ranks.add(done.sums)
        self.ranks.merge(done.found, mine)
        self.watcher.start("Maximization ...", self.settings.n_classes)
        self._advance(steps[0], number, order, done.sums, done.found, step)
        self.watcher.update(self.settings.n_classes)

    def _bytes_of_sums(self) -> int:
        """What one more thread of the expectation step adds at the present image size, in every rank."""
        state = self.state
        size = state.model.current_size
        need = memory_need(self.settings, state.sampling, state.model, size)
        return (need.sums + need.slices) * self.ranks.size

    def _set_sizes(self, number: int) -> None:
        """Image size and perturbation of iteration `number` (§2.2, §2.3)."""
        settings, state = self.settings, self.state
        size = current_image_size(settings, state.model, state.has_high_fsc)
        rng = np.random.default_rng(settings.random_seed + number)
        model, sampling = replace(state.model, current_size=size), state.sampling.perturbed(rng)
        self.state = replace(state, model=model, sampling=sampling)

    def _is_cross_correlation(self, number: int) -> bool:
        settings = self.settings
        return settings.always_cc or (number == 1 and settings.firstiter_cc)

    def _estimates_accuracies(self, number: int, step: GradientStep | None) -> bool:
        """Whether iteration `number` estimates accuracies: mini-batches do now and then (§2.13)."""
        settings = self.settings
        if settings.skip_align or settings.skip_rotate or self._is_cross_correlation(number):
            return False
        now_and_then = number <= 1 or number % GRADIENT_EVERY == 0
        return step is None or now_and_then or number == settings.n_iterations

    def _estimate_accuracies(self, projector: Projector, order: Ints) -> None:
        settings, state, watcher = self.settings, self.state, self.watcher
        watcher.start("Estimating accuracies in the orientational assignment ... ", 1)
        rows = trial_particles(order, settings.dims)
        found = estimate_accuracies(settings, state, projector, self.particles, rows)
        watcher.update(1)
        self.state = state = found.noted_in(state)
        watcher.say(
            f"Estimated accuracy angles= {state.accuracy_rot_deg:.6g} degrees; "
            f"offsets= {state.accuracy_shift_angst:.6g} Angstroms"
        )

    def _choose_steps(self, number: int) -> None:
        """The steps of the grid that the accuracies ask for, where they may change."""
        settings, state = self.settings, self.state
        if settings.allow_coarser:
            state = replace(state, sampling=coarser_sampling(settings, state))
        if settings.auto_sampling:
            state = finer_sampling(settings, state, number)
        if settings.dims == 3 and state.sampling is not self.state.sampling:
            n_directions = len(directions(state.sampling))
            state = replace(state, model=fitted_directions(state.model, n_directions))
        self.state = state

    def _projector(self, device: torch.device) -> Projector:
        """Transforms of the references up to the current size."""
        model = self.state.model
        return Projector.of(
            model.references.to(device), model.current_size, padding=self.settings.padding,
            dims=self.settings.dims,
        )  # fmt: skip

    def prepare(
        self, number: int, device: torch.device, step: GradientStep | None,
        projector: Projector | None = None,
    ) -> Iteration:  # fmt: skip
        """Grid and references of iteration `number` on a device (§2.13)."""
        settings, state = self.settings, self.state
        projector = projector or self._projector(device)
        pixels = directions(state.sampling) if settings.dims == 3 else None
        cc = self._is_cross_correlation(number)
        grid = pose_grid(state.sampling, pixels)
        if step is not None and settings.max_significants <= 0:
            settings = replace(
                settings, max_significants=(5 if settings.dims == 2 else 100) * settings.n_classes
            )
        return Iteration(
            settings,
            state,
            grid,
            projector,
            device,
            cross_correlation=cc,
            gradient=step is not None,
        )

    def _gradient_step(self, number: int) -> GradientStep | None:
        """What a mini-batch iteration uses; None for an iteration of expectation-maximisation."""
        gradient = self.settings.gradient
        if gradient is None or (number == 1 and self.settings.firstiter_cc):
            return None
        if number > self.settings.n_iterations - gradient.em_iterations:
            return None
        return gradient_step(self.settings, gradient, len(self.particles), number)

    def order(self, number: int, step: GradientStep | None = None) -> Ints:
        """The particles of iteration `number`, without those set aside."""
        order = np.arange(len(self.particles))
        aside = self.state.assignments.set_aside
        if aside:
            order = order[~np.isin(order, list(aside))]
        seed = self.settings.random_seed
        if step is not None:
            return subset(order, step.subset, seed, number)
        if self.settings.fast_subsets:
            size = fast_subset_size(len(order), self.settings.n_classes, number, self.settings.dims)
            return subset(order, size, seed, number)
        return order

    def _announce(self, iteration: Iteration, number: int, count: int) -> None:
        for line in sampling_lines(iteration):
            self.watcher.say(line)
        title = f"Expectation iteration {number} of {self.settings.n_iterations}"
        part = (
            f" (with {count} particles)" if count < len(self.particles) // self.ranks.size else ""
        )
        self.watcher.start(title + part, count)

    def _advance(
        self, iteration: Iteration, number: int, order: Ints, sums: WeightedSums, found: Assignments,
        step: GradientStep | None,
    ) -> None:  # fmt: skip
        settings, old = self.settings, self.state
        moments = old.moments
        if step is None:
            model = maximise(iteration, sums, self.solvent_mask)
        else:
            moments = moments or start_moments(settings, old.model, iteration.device)
            model, moments = descend(iteration, sums, step, moments, self.solvent_mask)
            threshold = settings.gradient.class_inactivity_threshold if settings.gradient else 0.0
            if step.may_replace and threshold > 0:
                model, moments, replaced = replace_inactive(model, moments, threshold)
                if replaced is not None:
                    self.watcher.say(f"Class {replaced + 1} was inactive and is replaced by a copy")
        if iteration.cross_correlation and number == 1 and settings.ini_high_angst > 0:
            model = limited_to(model, settings.ini_high_angst)
        resolution = new_resolution(settings, model, number)
        gained = resolution > old.model.current_resolution + 0.0001
        model = replace(model, current_resolution=resolution)
        moved = changes(old.assignments, found, order, settings.dims)
        state = replace(
            old, iteration=number, model=model, assignments=found,
            resolution_stalled=0 if gained else old.resolution_stalled + 1,
            change_classes=moved.classes, change_angles_deg=moved.angles_deg,
            change_offsets_angst=moved.offsets_angst, refs_are_ctf_corrected=True, moments=moments,
        )  # fmt: skip
        self.state = with_settled(state)


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
