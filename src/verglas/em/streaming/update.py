"""One update of a map that follows its particles, and the map that it begins with (docs/streaming-refinement.md).

Poses are searched by the expectation step of the engine, whose own sums are not used. Images then go into the sums
that are kept at the best pose of each, whole; those that are searched again are taken out at their old pose first.
The maximisation step is that of auto-refine, over the sums of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.halves import Halves, is_high_at_limit, maximise_halves, shells_to_add
from verglas.em.operands.operands import EStep
from verglas.em.poses.grid import directions
from verglas.em.run.refinement import Refinement
from verglas.em.schedule.auto_refine import AutoRefine
from verglas.em.schedule.common import advanced, sized, usable_particles
from verglas.em.schedule.streaming import Plan, in_detail, passes
from verglas.em.schedule.task import Task
from verglas.em.state.model import Model, State
from verglas.em.state.particles import Assignments, Floats, Ints
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import HalvesSettings, StreamingSettings
from verglas.em.state.sums import WeightedSums
from verglas.em.streaming.insertion import ImagesGone, Insertion
from verglas.em.streaming.junk import evidence_for_map, is_junk, junk_share
from verglas.em.streaming.ledger import NEVER, Bools, Ledger, Spectra
from verglas.fourier.backprojector import BackProjector

_PASSES = 100  # numbers of random perturbations between updates
Between = Callable[[], None]  # called where a run may be stopped


@dataclass
class Kept:
    """What an update begins with and leaves behind."""

    number: int  # updates done
    state: State  # its models; its assignments are those of the ledger
    ledger: Ledger
    spectra: Spectra
    sums: tuple[BackProjector, BackProjector] | None  # of the half-sets; None: none that can be used


@dataclass(frozen=True)
class Updated:
    """What an update came to; `joined`: the state whose map is of both halves, for the files."""

    kept: Kept
    joined: State
    researched: int  # old particles
    rebuilt: bool
    junk_share: float = 0.0  # among the particles that were judged


def begin(run: Refinement, between: Between = lambda: None) -> Updated:
    """The first map: iterations of auto-refine over the particles there are, from the reference.

    Auto-refine waits until nothing changes before it searches more finely; a first map does not, and is brought to the
    step that its accuracy asks for by local searches at the end.
    """
    halves, streaming = _settings(run)
    schedule = AutoRefine(run.settings, halves)
    while run.state.iteration < streaming.first_iterations and not schedule.has_settled(run.state):
        between()
        run.iterate()
    rows = usable_particles(run.state, len(run.particles))
    none = rows[:0]
    model = run.state.model
    ledger = Ledger.start(len(run.particles), model.n_shells)
    kept = Kept(0, run.state, ledger, Spectra.none(len(model.sigma2_noise), model.n_shells), None)
    plan = Plan(rows, none, none)
    run.state = sized(run.settings, run.state, run.state.iteration + 1)
    evidence = _search(run, kept, plan, passes(halves, run.state), between, known=1)
    return _finished(run, kept, plan, none, kept.state, evidence)


def update(run: Refinement, kept: Kept, plan: Plan, gone: Ints, between: Between = lambda: None) -> Updated:
    """Search the particles of the plan and bring the sums up to date; particles `gone` are taken out of them."""
    before = kept.state
    run.state = replace(before, assignments=kept.ledger.found)
    evidence = kept.ledger.evidence.copy()
    if len(plan.searched):
        state = sized(run.settings, run.state, run.state.iteration + 1)
        added = np.nonzero(kept.ledger.added)[0]
        run.state = run.measured(state, run.particles.of_half(added, 0))
        evidence = _search(run, kept, plan, passes(_settings(run)[0], run.state), between)
    return _finished(run, kept, plan, gone, before, evidence)


def _settings(run: Refinement) -> tuple[HalvesSettings, StreamingSettings]:
    halves, streaming = run.settings.halves, run.settings.streaming
    if halves is None or streaming is None:
        raise ValueError("a map that follows its particles needs settings of half-sets and of streaming")
    return halves, streaming


def _search(
    run: Refinement, kept: Kept, plan: Plan, samplings: list[Sampling], between: Between, known: int = 0
) -> Floats:
    """The poses of the plan's particles, pass by pass, in the run's state; what speaks for the map (n,).

    So many samplings have been gone through that poses are `known`.
    """
    evidence, state = kept.ledger.evidence.copy(), run.state
    number = (kept.number + 1) * _PASSES
    for place, sampling in enumerate(samplings[known:]):
        between()
        rng = np.random.default_rng(run.settings.random_seed + number + place)
        here = _level(in_detail(run.settings, state, sampling.perturbed(rng)))
        last = sampling is samplings[-1]
        rows = plan.searched if last else plan.everywhere
        found = _found(run, here, rows)
        if last and _settings(run)[1].junk_classes:
            judged = plan.everywhere
            evidence[judged] = _judged(run, here, samplings[0], found, judged)
        state = replace(state, sampling=here.sampling, assignments=found)
    run.state = _level(state)
    return evidence


def _found(run: Refinement, state: State, rows: Ints) -> Assignments:
    """What a search of some particles over the poses of a state finds."""
    before, run.state = run.state, state
    found = run.expected(Task(state.iteration + 1, rows)).found
    run.state = before
    return found


def _judged(run: Refinement, state: State, first: Sampling, found: Assignments, rows: Ints) -> Floats:
    """What speaks for the map in each of some particles, whose last search began with `state`."""
    usable = rows[~np.isin(rows, list(found.set_aside))]
    evidence = np.full(len(found.norm), np.inf)
    if len(usable):
        evidence[usable] = evidence_for_map(run, state, first, found.log_likelihood, usable)
    return evidence[rows]


def _level(state: State) -> State:
    """The state in which all directions of the grid are as likely: one that was not seen yet can be found."""
    n = len(directions(state.sampling))
    level = np.full((1, n), 1 / n)
    return state.with_models(*(replace(model, direction_weights=level) for model in state.models))


def _finished(
    run: Refinement, kept: Kept, plan: Plan, gone: Ints, before: State, evidence: Floats
) -> Updated:
    """Sums, models and records after a search whose result is the run's state."""
    old, found = kept.ledger, run.state.assignments
    junk, share = _junk(old, evidence, plan)
    usable = usable_particles(run.state, len(run.particles))
    usable = usable[~junk[usable]]
    out = np.union1d(gone, plan.searched[old.added[plan.searched]])
    into = np.intersect1d(np.union1d(plan.searched, np.nonzero(~old.added)[0]), usable)
    into = np.setdiff1d(into, gone)
    sums, rebuilt = kept.sums, False
    if sums is not None and 2 * len(out) > int(old.added.sum()):
        sums = None  # adding what stays costs less than taking out what goes
    if sums is not None:
        try:
            for half in range(2):
                step = Insertion.of(run, half, old, kept.spectra)
                step.take_out(sums[half], run.particles.of_half(out, half))
        except ImagesGone:
            sums = None
    ledger, spectra = _noted(run, old, found, plan.searched, kept)
    ledger.evidence, ledger.junk = evidence, junk
    if sums is None:
        rebuilt = kept.number > 0
        into = np.setdiff1d(usable, gone)
        ledger.added[:] = False
    _record(run, ledger, spectra, into)
    steps = [Insertion.of(run, half, ledger, spectra) for half in range(2)]
    both = sums or (steps[0].empty(), steps[1].empty())
    for half, step in enumerate(steps):
        step.add(both[half], run.particles.of_half(into, half))
    spectra = spectra.used_by(ledger)
    result = Kept(kept.number + 1, run.state, ledger, spectra, both)
    ledger.searched[~ledger.added & ~ledger.junk] = NEVER  # set aside: tried again
    done = _maximised(run, result, steps, plan, before, rebuilt)
    return replace(done, junk_share=share)


def _junk(old: Ledger, evidence: Floats, plan: Plan) -> tuple[Bools, float]:
    """Who is junk (n,), judged anew for those that were searched over all orientations; and its share."""
    judged = evidence[np.isfinite(evidence)]
    if not len(judged):
        return old.junk.copy(), 0.0
    share = junk_share(judged)
    junk, rows = old.junk.copy(), plan.everywhere
    junk[rows] = np.isfinite(evidence[rows]) & is_junk(evidence[rows], share)
    return junk, share


def _noted(
    run: Refinement, old: Ledger, found: Assignments, searched: Ints, kept: Kept
) -> tuple[Ledger, Spectra]:
    """The ledger with new poses, and the spectra with an entry for those that are added now."""
    ledger = old.taken(np.arange(len(old)))
    ledger.found = found
    ledger.searched[searched] = kept.number + 1
    models = run.state.models
    noise = np.stack([model.sigma2_noise for model in models])
    return ledger, kept.spectra.and_now(noise, np.array([model.norm_average for model in models]))


def _record(run: Refinement, ledger: Ledger, spectra: Spectra, into: Ints) -> None:
    """Write down what images are going to be added with."""
    ledger.spectra[into] = len(spectra.norm_average) - 1
    for half, model in enumerate(run.state.models):
        mine = run.particles.of_half(into, half)
        ledger.scale[mine] = model.scale[run.particles.scale_group[mine]]


def _maximised(
    run: Refinement, kept: Kept, steps: Sequence[Insertion], plan: Plan, before: State, rebuilt: bool
) -> Updated:
    """New models of both halves, and the map of all."""
    state = run.state
    size = state.model.current_size
    sums = [weighted_sums(run, kept, half) for half in range(2)]
    esteps = [_own(step, model) for step, model in zip(steps, state.models)]
    apart = maximise_halves(esteps, sums, run.solvent_mask)
    whole = maximise_halves(esteps, sums, run.solvent_mask, joined=True)
    state = replace(
        state,
        incr_size=shells_to_add(apart.fsc, state.incr_size),
        has_high_fsc=is_high_at_limit(apart.fsc, size),
    )
    task = Task(state.iteration + 1, plan.searched)
    old = replace(state, assignments=before.assignments)
    after = advanced(run.settings, old, task, _sized_as(apart, size), kept.ledger.found)
    joined = advanced(run.settings, old, task, whole.models, kept.ledger.found)
    joined = replace(joined, joined=True, converged=True)
    kept = replace(kept, state=after)
    return Updated(kept, joined, len(plan.globally) + len(plan.locally), rebuilt)


def _own(step: Insertion, model: Model) -> EStep:
    """The step's input with the scales of groups."""
    state = step.estep.state
    models = tuple(replace(each, scale=model.scale) for each in state.models)
    return replace(step.estep, state=replace(state, models=models))


def _sized_as(found: Halves, size: int) -> tuple[Model, ...]:
    return tuple(replace(model, current_size=size) for model in found.models)


def weighted_sums(run: Refinement, kept: Kept, half: int) -> WeightedSums:
    """The sums of a half-set as an expectation step over all of its particles would leave them."""
    ledger, particles, model = kept.ledger, run.particles, run.state.models[half]
    rows = particles.of_half(np.nonzero(ledger.added)[0], half)
    found, total = ledger.found, float(len(rows))
    group, scale_group = particles.optics_group[rows], particles.scale_group[rows]
    if kept.sums is None:
        raise ValueError("there are no sums of the half-sets")
    return WeightedSums(
        data=kept.sums[half].data,
        weight=kept.sums[half].weight,
        class_weight=torch.tensor([total], dtype=torch.float64),
        direction_weight=torch.from_numpy(model.direction_weights * total),
        class_offset=torch.from_numpy(found.origin_yx_angst[rows].sum(0))[None],
        sigma2_offset=torch.tensor((found.origin_yx_angst[rows] ** 2).sum(), dtype=torch.float64),
        noise=_by_group(ledger.residual[rows], group, len(particles.optics)),
        noise_weight=_by_group(np.ones(len(rows)), group, len(particles.optics)),
        scale_cross=_by_group(ledger.fit[rows, 0], scale_group, len(particles.group_names)),
        scale_power=_by_group(ledger.fit[rows, 1], scale_group, len(particles.group_names)),
        scale_weight=_by_group(np.ones(len(rows)), scale_group, len(particles.group_names)),
        ctf_power=torch.zeros((len(particles.optics), model.n_shells), dtype=torch.float64),
        norm=torch.tensor(found.norm[rows].sum(), dtype=torch.float64),
        log_likelihood=torch.tensor(found.log_likelihood[rows].sum(), dtype=torch.float64),
        p_max=torch.tensor(found.p_max[rows].sum(), dtype=torch.float64),
        total=torch.tensor(total, dtype=torch.float64),
    )


def _by_group(values: np.ndarray, group: Ints, n: int) -> Tensor:
    """Sums (n, ...) of values (m, ...) over the members of each group, float64."""
    total = torch.zeros((n, *values.shape[1:]), dtype=torch.float64)
    return total.index_add_(0, torch.from_numpy(group), torch.from_numpy(values.astype(np.float64)))
