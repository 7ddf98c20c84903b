"""Problems of auto-refine, stated for the engine and for the plain implementation: half-sets, local searches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from plain.poses import global_search
from plain.problem import Local, Problem

from verglas.em.maximise.halves import Halves, maximise_halves
from verglas.em.operands.operands import coarse_image_size
from verglas.em.poses.grid import OrientationGrid
from verglas.em.run.expectation import Expectation
from verglas.em.run.lanes import expect
from verglas.em.run.refinement import Refinement
from verglas.em.schedule.task import Task
from verglas.em.state.settings import HalvesSettings

SIGMA_DEG = 20.0
LOCAL_ORDER = 1
OF_CLASSES = ("tau2", "data_vs_prior", "coverage", "sigma2_reference")


def some_angles(n: int, seed: int = 3) -> np.ndarray:
    """Angles (n, 3) in degrees, uniform over orientations."""
    rng = np.random.default_rng(seed)
    rot, cosine, psi = rng.uniform(-180, 180, n), rng.uniform(-1, 1, n), rng.uniform(-180, 180, n)
    return np.stack([rot, np.rad2deg(np.arccos(cosine)), psi], 1)


def locally(run: Refinement, stated: Problem) -> tuple[Refinement, Problem]:
    """The same in a local search of a finer order around orientations that were found before."""
    n = len(run.particles)
    angles, found = some_angles(n), run.state.assignments
    found.rot_deg, found.tilt_deg, found.psi_deg = (angles[:, k].copy() for k in range(3))
    step = 60.0 / 2**LOCAL_ORDER
    sampling = replace(
        run.state.sampling, healpix_order=LOCAL_ORDER, psi_step_deg=step, local_sigma_deg=(SIGMA_DEG,) * 3
    )
    count = len(OrientationGrid.of(sampling).pixels)
    models = tuple(
        replace(model, direction_weights=np.repeat(model.class_weights[:, None] / count, count, 1))
        for model in run.state.models
    )
    model, box = models[0], stated.images.shape[-1]
    coarse = min(coarse_image_size(run.settings, sampling, model, 1.0, box), model.current_size)
    state = replace(run.state, sampling=sampling, models=models)
    return replace(run, state=state), replace(
        stated,
        poses=global_search(LOCAL_ORDER, stated.symmetry, stated.perturbation),
        local=Local(angles, SIGMA_DEG),
        coarse_size=coarse,
        direction_weight=model.direction_weights,
    )


def in_halves(run: Refinement, stated: Problem) -> tuple[Refinement, list[Problem]]:
    """One map for each half of the particles, taken in turn; the halves know different things."""
    particles = replace(run.particles, half=np.arange(len(run.particles)) % 2)
    whole = run.state.model
    one = replace(
        whole,
        references=whole.references[:1],
        class_weights=np.ones(1),
        direction_weights=whole.direction_weights[:1] / whole.class_weights[0],
        class_offsets_angst=np.zeros((1, 2)),
        current_resolution=1 / (4 * whole.pixel_size_angst),
        **{name: getattr(whole, name)[:1] for name in OF_CLASSES},
    )
    other = replace(
        one,
        references=1.2 * whole.references[1:],
        sigma2_noise=1.1 * whole.sigma2_noise,
        scale=whole.scale[::-1].copy(),
        sigma_offset_angst=5.0,
        norm_average=1.02,
    )
    settings = replace(run.settings, n_classes=1, halves=HalvesSettings(), tau2_fudge=1.0)
    run.state.assignments.class_index[:] = 0
    run = replace(run, settings=settings, particles=particles, state=run.state.with_models(one, other))
    problems = []
    for half, model in enumerate((one, other)):
        rows = np.flatnonzero(particles.half == half)
        local = stated.local and replace(stated.local, angles=stated.local.angles[rows])
        problems.append(
            replace(
                stated,
                images=stated.images[rows],
                ctf=[stated.ctf[row] for row in rows],
                noise_group=stated.noise_group[rows],
                scale_group=stated.scale_group[rows],
                norm=stated.norm[rows],
                origin=stated.origin[rows],
                local=local,
                tau2_fudge=1.0,
                references=model.references.numpy(),
                direction_weight=model.direction_weights,
                class_offset=model.class_offsets_angst,
                sigma2=model.sigma2_noise,
                scale=model.scale,
                data_vs_prior=model.data_vs_prior,
                sigma_offset=model.sigma_offset_angst,
                norm_average=model.norm_average,
            )
        )
    return run, problems


def one_iteration_of_halves(run: Refinement, *, joined: bool = False) -> tuple[list[Expectation], Halves]:
    """The engine's expectation of each half, and their maximisation."""
    task = Task(run.state.iteration + 1, np.arange(len(run.particles)), joined=joined)
    esteps = [run.estep(task, run.devices[0], half) for half in (0, 1)]
    ran = [
        expect(
            [estep],
            run.particles,
            {estep.device: run.source},
            run.particles.of_half(task.order, half),
            lambda done: None,
        )
        for half, estep in enumerate(esteps)
    ]
    return ran, maximise_halves(esteps, [done.sums for done in ran], joined=joined)
