"""From the record of the last update and a new list to what the engine continues with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.jobs.refine.frame import RunFrame
from verglas.jobs.refine.images.source import Images
from verglas.jobs.refine.streaming.identity import Ints
from verglas.jobs.refine.streaming.matching import Match
from verglas.jobs.refine.streaming.record import Known, Record

if TYPE_CHECKING:
    from verglas.em.run.refinement import Refinement
    from verglas.em.schedule.streaming import Plan
    from verglas.em.state.model import Model
    from verglas.em.state.particles import Particles
    from verglas.em.state.settings import EmSettings
    from verglas.em.streaming.update import Kept


def carried(
    settings: EmSettings, record: Record, found: Match, images: Images, frame: RunFrame
) -> tuple[Refinement, Kept, Plan]:
    """The run, what is kept, and the plan of an update, all with the rows of `found.particles`."""
    from verglas.em.run.refinement import Refinement
    from verglas.em.schedule.streaming import plan_of

    kept, particles = record.kept, found.particles
    ledger = kept.ledger.taken(np.where(found.record >= 0, found.record, found.poses))
    ledger.added &= found.record >= 0
    ledger.found.set_aside.update(found.listed.assignments.set_aside)
    index = _places([group.name for group in particles.optics], [g.name for g in record.known.optics])
    noise = _noise_of_new(settings, particles, images, index, record)
    models = tuple(_of_list(model, particles, record.known, index, noise) for model in kept.state.models)
    state = replace(kept.state, models=models, assignments=ledger.found)
    kept = replace(
        kept,
        state=state,
        ledger=ledger,
        spectra=kept.spectra.with_groups(index),
        sums=kept.sums if found.readable else None,
    )
    run = Refinement.resume(
        settings, particles, images.source, state, devices=frame.devices(), watcher=frame.watcher()
    )
    listed = np.arange(found.n_listed)
    usable = np.setdiff1d(listed, list(ledger.found.set_aside))
    posed = usable[ledger.searched[usable] >= 0]
    changed = posed[found.changed[posed]]
    fresh, old = np.setdiff1d(usable, posed), np.setdiff1d(posed, changed)
    plan = plan_of(_streaming(settings), fresh, old, ledger.searched, ledger.junk)
    plan = replace(plan, locally=np.union1d(plan.locally, changed))
    return run, kept, plan


def _streaming(settings: EmSettings) -> Any:
    return settings.streaming


def _places(names: Sequence[str], before: Sequence[str]) -> Ints:
    """Where each name was before; -1 for a new one."""
    place = {name: number for number, name in enumerate(before)}
    return np.array([place.get(name, -1) for name in names], np.int64)


def _of_list(model: Model, particles: Particles, before: Known, index: Ints, fresh: np.ndarray) -> Model:
    """A model for the optics and scale groups of the list; those that are new have a scale of 1."""
    noise = np.where((index >= 0)[:, None], model.sigma2_noise[np.maximum(index, 0)], fresh)
    place = _places(particles.group_names, before.scale_groups)
    scale = np.where(place >= 0, model.scale[np.maximum(place, 0)], 1.0)
    return replace(model, sigma2_noise=noise, scale=scale)


def _noise_of_new(
    settings: EmSettings, particles: Particles, images: Images, index: Ints, record: Record
) -> np.ndarray:
    """First noise spectra (G, S) of optics groups that are new, from their particles; zeros for the others."""
    from verglas.em.start.initialise import noise_spectra, noise_sums, particle_order

    box = record.kept.state.model.box_size
    if (index >= 0).all():
        return np.zeros((len(index), box // 2 + 1))
    order = particle_order(len(particles), settings.random_seed, particles.optics_group)
    order = order[index[particles.optics_group[order]] < 0]
    return noise_spectra(noise_sums(settings, particles, images.source, order, box))
