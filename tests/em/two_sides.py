"""One small problem, stated for the engine and for the plain implementation, and the comparison of both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from plain.poses import asymmetric_pixels, euler, global_search, in_plane
from plain.problem import Problem, Result

from verglas.em.maximise.descent import gradient_step
from verglas.em.maximise.maximisation import maximise
from verglas.em.operands.operands import EStep, coarse_image_size
from verglas.em.run import second_pass
from verglas.em.run.expectation import Expectation
from verglas.em.run.lanes import expect
from verglas.em.run.refinement import Refinement
from verglas.em.schedule.task import Task
from verglas.em.schedule.vdam import MOST_POSES
from verglas.em.scoring.sparse import sparse_second_pass
from verglas.em.scoring.sparse_batch import batched_second_pass
from verglas.em.state.model import Model, State
from verglas.em.state.particles import ArraySource, Assignments, OpticsGroup, Particles
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings, GradientSettings

SECOND_PASSES = {
    "dense tiles": (0, sparse_second_pass),
    "sparse pass": (1_000_000, sparse_second_pass),
    "batched pass of a GPU": (1_000_000, batched_second_pass),
}


def choose_second_pass(monkeypatch, name: str) -> None:
    sparse_poses, function = SECOND_PASSES[name]
    monkeypatch.setattr(second_pass, "SPARSE_POSES", sparse_poses)
    monkeypatch.setattr(second_pass, "sparse_second_pass", function)


def smooth_images(rng: np.random.Generator, n: int, box: int, dims: int = 2) -> np.ndarray:
    """Random asymmetric blobs."""
    axes = np.mgrid[(slice(0, box),) * dims] - box // 2
    images = np.zeros((n, *[box] * dims))
    for image in images:
        for centre in rng.normal(0, box / 10, (6, dims)):
            width = rng.uniform(1.2, 2.5)
            r2 = sum((axis - c) ** 2 for axis, c in zip(axes, centre))
            image += rng.uniform(0.3, 1) * np.exp(-r2 / (2 * width**2))
    return images


def some_particles(n: int, box: int, pixel: float, rng: np.random.Generator, groups: int = 3) -> Particles:
    """Particles of one optics group with random defocus, dealt to scale groups in turn."""
    u = rng.uniform(8000, 20000, n)
    return Particles(
        names=tuple(f"{i + 1:06d}@stack.mrcs" for i in range(n)),
        optics=(OpticsGroup("one", box, pixel),),
        optics_group=np.zeros(n, np.int64),
        scale_group=np.arange(n) % groups,
        group_names=tuple(f"mic{g}.mrc" for g in range(groups)),
        defocus_u_angst=u,
        defocus_v_angst=u - rng.uniform(0, 800, n),
        defocus_angle_deg=rng.uniform(-90, 90, n),
        phase_shift_deg=np.zeros(n),
        b_factor_a2=np.zeros(n),
        ctf_scale=np.ones(n),
    )


def stated_twice(
    *,
    box: int,
    pixel: float,
    size: int,
    n: int,
    dims: int = 2,
    fold: int = 1,
    gradient: GradientSettings | None = None,
    seed: int = 5,
    noise: float = 1.0,
) -> tuple[Refinement, Problem]:
    """Two classes, everything switched on; orientations of 12 psis, or of HEALPix order 0 and C_n."""
    rng = np.random.default_rng(seed)
    particles = some_particles(n, box, pixel, rng)
    k, shells = 2, box // 2 + 1
    truth = smooth_images(rng, k, box, dims)
    views = truth if dims == 2 else truth.sum(1) / 3
    images = views[np.arange(n) % k] * 0.4 + noise * rng.normal(0, 1, (n, box, box))
    settings = EmSettings(
        n_classes=k,
        dims=dims,
        tau2_fudge=2.0,
        particle_diameter_angst=0.75 * box * pixel,
        mask_edge_px=3.0,
        zero_mask=True,
        psi_step_deg=30.0 if dims == 2 else 60.0,
        healpix_order=0,
        symmetry=f"C{fold}",
        offset_range_px=2.0,
        offset_step_px=2.0,
        ctf=True,
        correct_norm=True,
        correct_scale=True,
        perturb=0.5,
        precision="double",
        gradient=gradient,
    )
    directions = 1 if dims == 2 else len(asymmetric_pixels(0, fold))
    weights = rng.uniform(0.5, 1.5, (k, directions)) * np.array([[1.2], [0.8]])
    weights /= weights.sum()
    sigma2 = 1 / (2 * box**2) * (1 + 0.3 * rng.random((1, shells)))
    zeros = np.zeros((k, shells))
    model = Model(
        references=torch.from_numpy(views * 0.3 if dims == 2 else truth * 0.1),
        pixel_size_angst=pixel,
        class_weights=weights.sum(1),
        direction_weights=weights,
        class_offsets_angst=rng.normal(0, 1, (k, 2)) * (dims == 2),
        sigma2_noise=sigma2,
        tau2=zeros,
        data_vs_prior=np.where(np.arange(shells) < 5, [[9.0], [2.0]], 0.5),
        sigma2_reference=zeros,
        coverage=zeros,
        scale=np.array([0.9, 1.0, 1.15]),
        sigma_offset_angst=4.0,
        norm_average=0.95,
        current_size=size,
    )
    found = Assignments.start(n)
    found.norm = rng.uniform(0.8, 1.2, n)
    found.origin_yx_angst = rng.normal(0, 4, (n, 2))
    sampling = replace(Sampling.of(settings, pixel), perturbation=0.3)
    run = Refinement(settings, particles, ArraySource(images), State(1, (model,), found, sampling))
    coarse = min(coarse_image_size(settings, sampling, model, 1.0, box), size)
    assert coarse < size  # both passes are exercised
    ctf = [
        {"u": u, "v": v, "angle": a, "phase": 0.0, "kv": 300.0, "cs": 2.7, "q0": 0.1}
        for u, v, a in zip(particles.defocus_u_angst, particles.defocus_v_angst, particles.defocus_angle_deg)
    ]
    stated = Problem(
        images=images.astype(np.float32).astype(float),
        ctf=ctf,
        pixel=pixel,
        references=model.references.numpy(),
        direction_weight=weights,
        class_offset=model.class_offsets_angst,
        sigma2=sigma2,
        noise_group=np.zeros(n, int),
        scale=model.scale,
        scale_group=particles.scale_group,
        data_vs_prior=model.data_vs_prior,
        sigma_offset=4.0,
        norm_average=0.95,
        norm=found.norm,
        origin=found.origin_yx_angst,
        diameter=settings.particle_diameter_angst,
        mask_edge=3.0,
        poses=in_plane(12, 0.3) if dims == 2 else global_search(0, fold, 0.3),
        offset_range=2 * pixel,
        offset_step=2 * pixel,
        current_size=size,
        coarse_size=coarse,
        tau2_fudge=2.0,
        perturbation=0.3,
        symmetry=fold,
        gradient=gradient is not None,
        most_significant=None if gradient is None else (5 if dims == 2 else 100) * k,
    )
    return run, stated


def expected_by(run: Refinement) -> tuple[EStep, Expectation]:
    """The engine's expectation over all particles, at the state's size and perturbation."""
    number, everyone = run.state.iteration + 1, np.arange(len(run.particles))
    gradient, most = run.settings.gradient, run.settings.max_significants
    step = None
    if gradient is not None:
        step = gradient_step(run.settings, gradient, len(everyone), number)
        most = MOST_POSES[run.settings.dims] * run.settings.n_classes
    estep = run.estep(Task(number, everyone, gradient=step, max_significants=most), run.devices[0])
    ran = expect([estep], run.particles, {estep.device: run.source}, everyone, lambda done: None)
    return estep, ran


def one_iteration(run: Refinement) -> tuple[Expectation, Model]:
    """The engine's expectation and maximisation."""
    estep, ran = expected_by(run)
    return ran, maximise(estep, ran.sums)


def assert_agrees(ran: Expectation, model: Model, expected: Result, shells: int) -> None:
    """Particles, priors, spectra and references to float64's digits."""
    found = ran.found
    same = lambda a, b, tol=1e-7: np.testing.assert_allclose(a, b, rtol=tol, atol=tol * 1e-2)  # noqa: E731
    assert (found.class_index == expected.klass).all()
    assert (found.n_significant == expected.n_significant).all()
    matrices = [euler(*angles) for angles in zip(found.rot_deg, found.tilt_deg, found.psi_deg)]
    np.testing.assert_allclose(np.stack(matrices), expected.orientation, atol=1e-9)
    same(found.origin_yx_angst, expected.origin)
    same(found.p_max, expected.p_max)
    same(found.norm, expected.norm)
    same(found.log_likelihood, expected.log_likelihood)
    same(model.class_weights, expected.class_weight)
    same(model.direction_weights, expected.direction_weight)
    if model.dims == 2:
        same(model.class_offsets_angst, expected.class_offset)
    same(model.sigma_offset_angst, expected.sigma_offset)
    same(model.norm_average, expected.norm_average)
    same(model.sigma2_noise, expected.sigma2)
    same(model.scale, expected.scale)
    for name in ("tau2", "data_vs_prior", "sigma2_reference", "coverage"):
        mine, theirs = getattr(model, name), getattr(expected, name)
        same(mine[:, :shells], theirs[:, :shells])
    difference = np.abs(model.references.numpy() - expected.references).max()
    assert difference < 1e-7 * np.abs(expected.references).max()
