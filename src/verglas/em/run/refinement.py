"""A refinement from start to end: what happens in which order (refinement.md §2.13, §3.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from verglas.compute.gemm import precision_of_products
from verglas.em.operands.operands import EStep
from verglas.em.poses.grid import OrientationGrid, PoseSet, directions
from verglas.em.run.expectation import Expectation
from verglas.em.run.image_cache import ImageCache
from verglas.em.run.lanes import expect, lanes
from verglas.em.run.memory import memory_need
from verglas.em.run.watcher import (
    SilentWatcher,
    Watcher,
    auto_refine_lines,
    auto_sampling_lines,
    half_map_lines,
    sampling_lines,
)
from verglas.em.schedule.accuracy import estimate_accuracies, trial_particles
from verglas.em.schedule.auto_refine import AutoRefine
from verglas.em.schedule.classify import Classification
from verglas.em.schedule.common import aligns
from verglas.em.schedule.steps import fitted_directions
from verglas.em.schedule.task import Schedule, Seen, Task
from verglas.em.schedule.vdam import MiniBatches
from verglas.em.start.first_state import first_state
from verglas.em.start.initialise import noise_sums, particle_order, sample_for_noise
from verglas.em.state.combine import Alone, Ranks, pack_rows, ranks_of_half, share_of_half, unpack_rows
from verglas.em.state.model import State
from verglas.em.state.particles import Assignments, ImageSource, Ints, Particles, ResidentSource
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums
from verglas.fourier.projector import Projector
from verglas.fourier.volume import fitting_volume

CPU = torch.device("cpu")


def schedule_of(settings: EmSettings) -> Schedule:
    """The schedule that settings ask for."""
    if settings.halves is not None:
        return AutoRefine(settings, settings.halves)
    if settings.gradient is not None:
        return MiniBatches(settings, settings.gradient)
    return Classification(settings)


@dataclass
class Refinement:
    """Everything one process needs to refine; `state` moves forward with each call of `iterate`."""

    settings: EmSettings
    particles: Particles
    source: ImageSource
    state: State
    devices: tuple[torch.device, ...] = (CPU,)
    ranks: Ranks = field(default_factory=Alone)
    watcher: Watcher = field(default_factory=SilentWatcher)
    solvent_mask: Tensor | None = None

    @classmethod
    def start(
        cls,
        settings: EmSettings,
        particles: Particles,
        source: ImageSource,
        *,
        references: Tensor | None = None,
        pixel_size_angst: float | None = None,
        assignments: Assignments | None = None,
        devices: Sequence[torch.device] = (CPU,),
        ranks: Ranks | None = None,
        watcher: Watcher | None = None,
    ) -> Refinement:
        """A new run: noise spectra and, where none are given, references from the particles themselves."""
        watcher, ranks = watcher or SilentWatcher(), ranks or Alone()
        first = particles.optics[0]
        pixel_size = pixel_size_angst or first.pixel_size_angst
        box = int(references.shape[-1]) if references is not None else first.box_size
        order = particle_order(len(particles), settings.random_seed, particles.optics_group)
        aside = [] if assignments is None else list(assignments.set_aside)
        order = order[~np.isin(order, aside)]
        n_sample = len(sample_for_noise(particles, order)) // ranks.size
        watcher.start("Estimating initial noise spectra ", n_sample)
        sums = noise_sums(settings, particles, source, order, box, watcher.update, ranks.rank, ranks.size)
        watcher.update(n_sample)
        ranks.add(sums, range(ranks.size))
        settings, state = first_state(settings, particles, sums, references, box, pixel_size, assignments)
        return cls(settings, particles, source, state, tuple(devices), ranks, watcher)

    @classmethod
    def resume(
        cls,
        settings: EmSettings,
        particles: Particles,
        source: ImageSource,
        state: State,
        *,
        devices: Sequence[torch.device] = (CPU,),
        ranks: Ranks | None = None,
        watcher: Watcher | None = None,
    ) -> Refinement:
        """A run that goes on from the end of an iteration."""
        perturb = settings.perturb if aligns(settings) else 0.0
        state = replace(state, sampling=replace(state.sampling, perturb=perturb))
        if settings.parity.forget_class_prior and settings.dims == 2:
            flat = np.full_like(state.model.direction_weights, 1 / settings.n_classes)
            state = state.with_models(replace(state.model, direction_weights=flat))
        if state.moments is not None:
            state = replace(state, moments=state.moments.to(devices[0]))
        if settings.dims == 3:
            n = len(directions(state.sampling))
            state = state.with_models(*(fitted_directions(model, n) for model in state.models))
        watcher = watcher or SilentWatcher()
        return cls(settings, particles, source, state, tuple(devices), ranks or Alone(), watcher)

    def at_last_iterations(self) -> Refinement:
        """The same run where its mini-batches end: what they would find is there already."""
        gradient = self.settings.gradient
        last = gradient.em_iterations if gradient is not None else 0
        iteration = max(self.state.iteration, self.settings.n_iterations - last)
        return replace(self, state=replace(self.state, iteration=iteration))

    @cached_property
    def schedule(self) -> Schedule:
        """Who decides what is done."""
        return schedule_of(self.settings)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.schedule.is_over(self.state)

    def writes_this_iteration(self) -> bool:
        """Whether the files of the iteration just done are wanted."""
        return self.schedule.writes(self.state)

    def iterate(self) -> None:
        """One iteration: expectation over the particles, combination, maximisation."""
        automatic = self.settings.halves
        if automatic is not None:
            self._say(auto_refine_lines(self.state))
        task, self.state = self.schedule.before(self.state, self.particles, self.measured)
        self._tell_notes()
        seen = self.expected(task)
        if automatic is not None:
            self._say(half_map_lines(automatic.low_res_join_angst))
        self.watcher.start("Maximization ...", self.settings.n_classes)
        self.state = self.schedule.after(self.state, task, seen, self.solvent_mask)
        self.watcher.update(self.settings.n_classes)
        self._tell_notes()

    def _tell_notes(self) -> None:
        self._say(self.schedule.notes)
        self.schedule.notes.clear()

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.watcher.say(line)

    def expected(self, task: Task) -> Seen:
        """The expectation step over all half-sets, and over all ranks."""
        esteps: list[EStep] = []
        sums: list[WeightedSums] = []
        mine: list[Ints] = []
        found = self.state.assignments.copy()
        self._announce(task)
        for half in range(len(self.state.models)):
            rows = share_of_half(self.particles.of_half(task.order, half), half, self.ranks, self._n_halves)
            steps = {device: self.estep(task, device, half) for device in set(self.devices)}
            done = self._expected_half(steps, rows, sum(len(rows) for rows in mine))
            unpack_rows(found, pack_rows(done.found, rows))
            found.set_aside.update(done.found.set_aside)
            esteps.append(steps[self.devices[0]])
            sums.append(done.sums)
            mine.append(rows)
        self.watcher.update(sum(len(rows) for rows in mine))
        for half, part in enumerate(sums):
            self.ranks.add(part, ranks_of_half(half, self.ranks, self._n_halves))
        self.ranks.merge(found, np.concatenate(mine))
        return Seen(esteps, sums, found)

    @cached_property
    def sources(self) -> dict[torch.device, ImageSource]:
        """Where each device finds its images: those of a GPU stay there, where half precision is allowed."""
        kept = self.settings.precision == "tensor" and not isinstance(self.source, ResidentSource)
        return {
            device: ImageCache(self.source, len(self.particles), device)
            if kept and device.type == "cuda"
            else self.source
            for device in set(self.devices)
        }

    @property
    def _n_halves(self) -> int:
        return len(self.state.models)

    def _expected_half(self, steps: dict[torch.device, EStep], rows: Ints, before: int) -> Expectation:
        threads = lanes(self.devices, len(rows), self.settings.dims, self._bytes_of_sums())
        with precision_of_products(self.settings.precision):
            done = expect(
                [steps[device] for device in threads],
                self.particles,
                self.sources,
                rows,
                lambda count: self.watcher.update(before + count),
            )
        for note in sorted(done.notes):
            self.watcher.say(note)
        return done

    def _bytes_of_sums(self) -> int:
        """What one more thread of the expectation step adds at the present image size, in every rank."""
        state = self.state
        size = state.model.current_size
        need = memory_need(self.settings, state.sampling, state.model, size)
        return (need.sums + need.slices) * self.ranks.size

    def measured(self, state: State, order: Ints) -> State:
        """The state with accuracies estimated from some of the particles (§5.3)."""
        settings, watcher = self.settings, self.watcher
        watcher.start("Estimating accuracies in the orientational assignment ... ", 1)
        rows = trial_particles(order, settings.dims)
        projector = self._projector(state, self.devices[0], 0)
        found = estimate_accuracies(settings, state, projector, self.particles, rows)
        watcher.update(1)
        state = found.noted_in(state)
        watcher.say(
            f"{'' if settings.halves is None else 'Auto-refine: '}"
            f"Estimated accuracy angles= {state.accuracy_rot_deg:.6g} degrees; "
            f"offsets= {state.accuracy_shift_angst:.6g} Angstroms"
        )
        return state

    def _projector(self, state: State, device: torch.device, half: int) -> Projector:
        """Transforms of a half's references up to the current size."""
        model = state.models[half]
        return Projector.of(
            model.references.to(device),
            model.current_size,
            padding=self.settings.padding,
            dims=self.settings.dims,
        )

    def estep(self, task: Task, device: torch.device, half: int = 0) -> EStep:
        """Input of the expectation step of a half-set on a device (§2.13)."""
        state = self.state
        poses = PoseSet.of(OrientationGrid.of(state.sampling))
        settings = replace(self.settings, max_significants=task.max_significants)
        projector = self._projector(state, device, half)
        volume = None
        if projector.lattice.dims == 3 and device.type == "cuda" and not settings.double:
            volume = fitting_volume(projector.values, projector.lattice)
        return EStep(
            settings,
            state,
            poses,
            projector,
            device,
            half,
            len(task.order),
            volume,
            task.cross_correlation,
            task.gradient is not None,
        )

    def _announce(self, task: Task) -> None:
        poses = PoseSet.of(OrientationGrid.of(self.state.sampling))
        if self.settings.halves is not None:
            self._say(auto_sampling_lines(self.state))
        self._say(sampling_lines(self.settings, self.state, poses))
        count = len(task.order) // self.ranks.size
        title = f"Expectation iteration {task.number} of {self.settings.n_iterations}"
        if self.settings.halves is not None:
            title = f"Expectation iteration {task.number}"
        part = f" (with {count} particles)" if count < len(self.particles) // self.ranks.size else ""
        self.watcher.start(title + part, count)
