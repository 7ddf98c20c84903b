"""Steps that iterations of all schedules have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verglas.em.maximise.references import limited_to
from verglas.em.maximise.resolution import current_image_size, new_resolution
from verglas.em.poses.grid import directions
from verglas.em.schedule.changes import changes
from verglas.em.schedule.steps import fitted_directions, with_settled
from verglas.em.schedule.task import Task
from verglas.em.state.model import Model, State
from verglas.em.state.particles import Assignments, Ints
from verglas.em.state.settings import EmSettings
from verglas.geometry.symmetry import PointGroup

LEAST_GAIN = 0.0001  # 1/Å


def sized(settings: EmSettings, state: State, number: int, whole: bool = False) -> State:
    """The state with the image size and the perturbation of iteration `number` (§2.2, §2.3)."""
    model = state.model
    size = current_image_size(model, state.incr_size, state.has_high_fsc)
    size = model.box_size if whole else size
    rng = np.random.default_rng(settings.random_seed + number)
    models = (replace(model, current_size=size) for model in state.models)
    return replace(state, models=tuple(models), sampling=state.sampling.perturbed(rng))


def usable_particles(state: State, n: int) -> Ints:
    """All particles without those set aside."""
    order = np.arange(n)
    aside = state.assignments.set_aside
    return order[~np.isin(order, list(aside))] if aside else order


def is_cross_correlation(settings: EmSettings, number: int) -> bool:
    """Whether an iteration scores by correlation: first references may be on any grey scale (§2.7)."""
    return settings.always_cc or (number == 1 and settings.firstiter_cc)


def aligns(settings: EmSettings) -> bool:
    """Whether orientations are searched."""
    return not (settings.skip_align or settings.skip_rotate)


def fitted(state: State) -> State:
    """The state whose direction priors are those of its grid; flat where the grid is new."""
    if state.sampling.dims == 2:
        return state
    n = len(directions(state.sampling))
    return state.with_models(*(fitted_directions(model, n) for model in state.models))


def advanced(
    settings: EmSettings, old: State, task: Task, models: tuple[Model, ...], found: Assignments
) -> State:
    """The state after an iteration: resolution, what changed, and whether that has settled (§3.10, §5.1)."""
    if task.cross_correlation and task.number == 1 and settings.ini_high_angst > 0:
        models = tuple(limited_to(model, settings.ini_high_angst) for model in models)
    resolution = new_resolution(settings, models[0], task.number)
    gained = resolution > old.model.current_resolution + LEAST_GAIN
    models = tuple(replace(model, current_resolution=resolution) for model in models)
    group = PointGroup.of(settings.symmetry) if settings.dims == 3 else None
    moved = changes(old.assignments, found, task.order, group)
    state = replace(
        old,
        iteration=task.number,
        models=models,
        assignments=found,
        resolution_stalled=0 if gained else old.resolution_stalled + 1,
        change_classes=moved.classes,
        change_angles_deg=moved.angles_deg,
        change_offsets_angst=moved.offsets_angst,
        refs_are_ctf_corrected=True,
    )
    return with_settled(state)
