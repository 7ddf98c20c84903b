"""Whether the poses that a map gives its particles are right: do they agree on detail that decided nothing?

Particles are aligned to the map up to a resolution that is coarser than what it holds. From the poses so found
each half of them is reconstructed on its own. Beyond that resolution the halves can only agree where poses are
right: noise did not decide there. What shape and mask alone make alike shows in the same with poses dealt out anew.
(No part of RELION.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.centring import flatten_solvent
from verglas.em.maximise.references import summed
from verglas.em.maximise.resolution import resolved_shell
from verglas.em.operands.operands import particle_diameter_angst
from verglas.em.run.refinement import CPU, Refinement
from verglas.em.schedule.common import fitted
from verglas.em.schedule.task import Task
from verglas.em.state.model import Model, State
from verglas.em.state.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings
from verglas.maps.reconstruction import MIN_REGULARISED_SHELL, reconstruct
from verglas.maps.shell_correlation import fsc

MOST_PARTICLES = 1000
ALIGNED_SHARE = 0.65  # of the resolved shells that decide poses
LEAKS = 2  # shells beyond, into which the mask carries what decided
SHUFFLES = 4
MOST_POSES = 100


@dataclass(frozen=True)
class Coherence:
    """FSC of the two halves in shells that did not decide, and of halves whose poses were dealt out anew."""

    agreement: float
    by_chance: float
    spread: float  # of the latter
    aligned_angst: float
    looked_at_angst: tuple[float, float]

    @property
    def gain(self) -> float:
        """What the poses explain."""
        return self.agreement - self.by_chance


def coherence(
    settings: EmSettings,
    particles: Particles,
    source: ImageSource,
    state: State,
    klass: int,
    devices: Sequence[torch.device] = (CPU,),
) -> Coherence:
    """For the map of class `klass` and the particles of its own."""
    rows = _members(settings, state, klass)
    model = _alone(state.model, klass)
    inner, shells = _shells(model)
    settings = replace(
        settings, n_classes=1, gradient=None, auto_sampling=False, denovo=False, correct_scale=False
    )
    state = replace(state, moments=None, sampling=replace(state.sampling, perturb=0.0, perturbation=0.0))
    seen = Refinement(settings, particles, source, _with_size(state, model, inner), tuple(devices)).expected(
        Task(state.iteration + 1, rows, max_significants=MOST_POSES)
    )
    fixed = replace(settings, skip_align=True)
    sampling = Sampling.of(fixed, model.pixel_size_angst)
    ready = fitted(replace(_with_size(state, model, int(shells[-1]) + 1), sampling=sampling))
    rng = np.random.default_rng((settings.random_seed, 13))
    found = [
        _agreement(fixed, particles, source, replace(ready, assignments=poses), rows, shells, devices)
        for poses in [seen.found, *(_dealt(seen.found, rows, rng) for _ in range(SHUFFLES))]
    ]
    by_chance = np.array(found[1:])
    extent = model.extent_angst
    return Coherence(
        found[0],
        float(by_chance.mean()),
        float(by_chance.std()),
        extent / inner,
        (extent / int(shells[0]), extent / int(shells[-1])),
    )


def _members(settings: EmSettings, state: State, klass: int) -> Ints:
    """Particles that look like the class, at most so many; all if none was assigned yet."""
    found = state.assignments
    mine = np.flatnonzero(found.class_index == klass)
    mine = mine[~np.isin(mine, list(found.set_aside))]
    order = np.random.default_rng((settings.random_seed, 12)).permutation(mine)
    return np.sort(order[:MOST_PARTICLES])


def _alone(model: Model, klass: int) -> Model:
    """The model with one of its classes only, directions equally likely."""
    parts = ("tau2", "data_vs_prior", "sigma2_reference", "coverage", "orientability")
    own = {name: getattr(model, name)[klass : klass + 1] for name in parts}
    n = model.direction_weights.shape[1]
    return replace(
        model,
        references=model.references[klass : klass + 1],
        class_weights=np.ones(1),
        direction_weights=np.full((1, n), 1 / n),
        class_offsets_angst=model.class_offsets_angst[klass : klass + 1],
        accuracy_rot_deg=model.accuracy_rot_deg[klass : klass + 1],
        accuracy_shift_angst=model.accuracy_shift_angst[klass : klass + 1],
        **own,
    )


def _shells(model: Model) -> tuple[int, Ints]:
    """The last shell that decides poses, and those in which halves are compared."""
    last = model.box_size // 2 - 1
    resolved = max(resolved_shell(model.data_vs_prior[0]), MIN_REGULARISED_SHELL)
    inner = max(4, round(ALIGNED_SHARE * resolved))
    first = inner + LEAKS
    return inner, np.arange(first, min(last, max(first + 2, resolved + 1)) + 1)


def _with_size(state: State, model: Model, shell: int) -> State:
    return state.with_models(replace(model, current_size=min(2 * shell, model.box_size)))


def _dealt(found: Assignments, rows: Ints, rng: np.random.Generator) -> Assignments:
    """The same orientations, each for another particle; offsets belong to the images."""
    shuffled, other = found.copy(), rng.permutation(rows)
    for name in ("rot_deg", "tilt_deg", "psi_deg"):
        getattr(shuffled, name)[rows] = getattr(found, name)[other]
    return shuffled


def _agreement(
    settings: EmSettings,
    particles: Particles,
    source: ImageSource,
    state: State,
    rows: Ints,
    shells: Ints,
    devices: Sequence[torch.device],
) -> float:
    """Mean FSC over shells of the halves of `rows`, reconstructed with the poses of `state`."""
    run = Refinement(settings, particles, source, state, tuple(devices))
    halves = [_map(run, rows[part::2]) for part in (0, 1)]
    return float(fsc(*halves)[torch.from_numpy(shells)].mean())


def _map(run: Refinement, rows: Ints) -> Tensor:
    seen = run.expected(Task(run.state.iteration + 1, rows))
    found = reconstruct(summed(seen.esteps[0], seen.sums[0], [0]))
    radius_px = particle_diameter_angst(run.settings, run.state.model) / (
        2 * run.state.model.pixel_size_angst
    )
    return flatten_solvent(found, radius_px, None)[0].cpu()
