"""The engine against the plain float64 implementation, and its fast passes against its dense one."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.em import expectation
from verglas.em.expectation import Expectation
from verglas.em.maximisation import maximise
from verglas.em.model import Model, State
from verglas.em.particles import ArraySource, Assignments
from verglas.em.plan import Iteration, coarse_image_size
from verglas.em.refinement import Refinement
from verglas.em.sampling import Sampling, pose_grid
from verglas.em.settings import EmSettings, HelixSettings
from verglas.em.sparse import sparse_second_pass
from verglas.em.sparse_batch import batched_second_pass
from verglas.fourier.projector import Projector

HERE = Path(__file__).parent


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"em_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


plain = load("reference")
helpers = load("conftest")
BOX, PIXEL, K, N = 24, 3.0, 2, 6


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(5)
    particles = helpers.some_particles(N, BOX, PIXEL, rng)
    truth = helpers.smooth_images(rng, K, BOX)
    images = truth[np.arange(N) % K] * 0.4 + rng.normal(0, 1, (N, BOX, BOX))
    settings = EmSettings(
        n_classes=K, tau2_fudge=2.0, particle_diameter_angst=54.0, mask_edge_px=3.0, zero_mask=True,
        psi_step_deg=30.0, offset_range_px=2.0, offset_step_px=2.0, ctf=True, correct_norm=True,
        correct_scale=True, perturb=0.5, precision="double",
    )  # fmt: skip
    shells = BOX // 2 + 1
    sigma2 = 1 / (2 * BOX**2) * (1 + 0.3 * rng.random((1, shells)))
    model = Model(
        references=torch.from_numpy(truth * 0.3), pixel_size_angst=PIXEL,
        class_weights=np.array([0.6, 0.4]), direction_weights=np.array([[0.6], [0.4]]),
        class_offsets_angst=rng.normal(0, 1, (K, 2)), sigma2_noise=sigma2,
        tau2=np.zeros((K, shells)), data_vs_prior=np.where(np.arange(shells) < 5, [[9.0], [2.0]], 0.5),
        sigma2_reference=np.zeros((K, shells)), coverage=np.zeros((K, shells)),
        scale=np.array([0.9, 1.0, 1.15]), sigma_offset_angst=4.0, norm_average=0.95,
        current_resolution=0.0, current_size=18,
    )  # fmt: skip
    found = Assignments.start(N)
    found.norm = rng.uniform(0.8, 1.2, N)
    found.origin_yx_angst = rng.normal(0, 4, (N, 2))
    sampling = replace(Sampling.of(settings, PIXEL), perturbation=0.3)
    state = State(1, model, found, sampling)
    run = Refinement(settings, particles, ArraySource(images), state)
    ctf = [
        {"u": u, "v": v, "angle": a, "phase": 0.0, "kv": 300.0, "cs": 2.7, "q0": 0.1}
        for u, v, a in zip(
            particles.defocus_u_angst, particles.defocus_v_angst, particles.defocus_angle_deg
        )
    ]
    stated = plain.Problem(
        images=images.astype(np.float32).astype(float), ctf=ctf, pixel=PIXEL,
        references=truth * 0.3, class_weight=model.class_weights, class_offset=model.class_offsets_angst,
        sigma2=sigma2, noise_group=np.zeros(N, int), scale=model.scale, scale_group=particles.scale_group,
        data_vs_prior=model.data_vs_prior, sigma_offset=4.0, norm_average=0.95, norm=found.norm,
        origin=found.origin_yx_angst, diameter=54.0, mask_edge=3.0, n_psi=12,
        offset_range=6.0, offset_step=6.0, current_size=18, coarse_size=0, tau2_fudge=2.0, perturbation=0.3,
    )  # fmt: skip
    return run, stated


def one_iteration(run: Refinement):
    """Expectation at the given size and perturbation, then maximisation."""
    model = run.state.model
    projector = Projector.of(model.references, model.current_size, padding=2.0, dims=2)
    step = Iteration(
        run.settings, run.state, pose_grid(run.state.sampling), projector, run.devices[0]
    )
    ran = Expectation.begin(step, run.particles, run.source)
    ran.run(np.arange(N))
    return ran, maximise(step, ran.sums)


@pytest.fixture(scope="module")
def expected(problem):
    run, stated = problem
    size = coarse_image_size(run.settings, run.state.sampling, run.state.model, 1.0, BOX)
    assert size < 18  # both passes are exercised
    return plain.iterate(replace(stated, coarse_size=min(size, 18)))


SECOND_PASSES = {
    "dense tiles": (0, sparse_second_pass),
    "sparse pass": (10_000, sparse_second_pass),
    "batched pass of a GPU": (10_000, batched_second_pass),
}


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_one_iteration_agrees_with_the_plain_implementation(
    problem, expected, second_pass, monkeypatch
):
    sparse_poses, function = SECOND_PASSES[second_pass]
    monkeypatch.setattr(expectation, "SPARSE_POSES", sparse_poses)
    monkeypatch.setattr(expectation, "sparse_second_pass", function)
    assert_agrees(*one_iteration(problem[0]), expected)


@pytest.fixture(scope="module")
def helical(problem):
    """The same particles as segments of filaments, and what the plain implementation makes of them."""
    run, stated = problem
    psi = np.random.default_rng(1).uniform(-180, 180, N)
    helix = HelixSettings(rise_angst=3.0, outer_diameter_angst=36.0, bimodal_psi=True)
    settings = replace(run.settings, helix=helix, sigma_psi_deg=9.0)
    run = replace(run, settings=settings, particles=replace(run.particles, psi_prior_deg=psi))
    size = coarse_image_size(settings, run.state.sampling, run.state.model, 1.0, BOX)
    filament = plain.Filament(psi, 9.0, True, 3.0, 36.0)
    return run, plain.iterate(replace(stated, coarse_size=min(size, 18), filament=filament))


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_helical_segments_agree_with_the_plain_implementation(helical, second_pass, monkeypatch):
    sparse_poses, function = SECOND_PASSES[second_pass]
    monkeypatch.setattr(expectation, "SPARSE_POSES", sparse_poses)
    monkeypatch.setattr(expectation, "sparse_second_pass", function)
    run, found = helical
    assert_agrees(*one_iteration(run), found)
    away = np.remainder(found.psi - run.particles.psi_prior_deg + 90, 180) - 90
    assert (np.abs(away) < 27 + 7.5 + 9).all()  # window, half a coarse step, perturbation


def assert_agrees(ran, model, expected):
    """Particles, priors, spectra and references to float64's digits."""
    found = ran.found
    same = lambda a, b, tol=1e-7: np.testing.assert_allclose(a, b, rtol=tol, atol=tol * 1e-2)  # noqa: E731
    assert (found.class_index == expected.klass).all()
    assert (found.n_significant == expected.n_significant).all()
    same(np.remainder(found.psi_deg - expected.psi + 180, 360), np.full(N, 180.0))
    same(found.origin_yx_angst, expected.origin)
    same(found.p_max, expected.p_max)
    same(found.norm, expected.norm)
    same(found.log_likelihood, expected.log_likelihood)
    same(model.class_weights, expected.class_weight)
    same(model.class_offsets_angst, expected.class_offset)
    same(model.sigma_offset_angst, expected.sigma_offset)
    same(model.norm_average, expected.norm_average)
    same(model.sigma2_noise, expected.sigma2)
    same(model.scale, expected.scale)
    same(model.tau2[:, :10], expected.tau2[:, :10])
    same(model.data_vs_prior[:, :9], expected.data_vs_prior[:, :9])
    difference = np.abs(model.references.numpy() - expected.references).max()
    assert difference < 1e-7 * np.abs(expected.references).max()


@pytest.mark.parametrize("precision", ["single", "tensor"])
def test_lower_precision_stays_close(problem, expected, precision):
    run, _ = problem
    settings = replace(run.settings, precision=precision)
    model = replace(run.state.model, references=run.state.model.references.float())
    rough = replace(run, settings=settings, state=replace(run.state, model=model))
    ran, after = one_iteration(rough)
    tolerance = 1e-4 if precision == "single" else 2e-2
    np.testing.assert_allclose(ran.found.p_max, expected.p_max, atol=tolerance)
    np.testing.assert_allclose(after.sigma2_noise, expected.sigma2, rtol=tolerance)


def test_two_passes_find_what_an_exhaustive_search_finds(problem):
    run, _ = problem
    wide = replace(run, settings=replace(run.settings, adaptive_fraction=1 - 1e-9))
    (two_passes, _), (exhaustive, _) = one_iteration(run), one_iteration(wide)
    assert (exhaustive.found.n_significant > two_passes.found.n_significant).any()
    np.testing.assert_allclose(two_passes.found.p_max, exhaustive.found.p_max, atol=1e-3)


def test_results_do_not_depend_on_the_size_of_batches(problem, monkeypatch):
    run, _ = problem
    whole, after_whole = one_iteration(run)
    monkeypatch.setattr(expectation, "batch_size", lambda plan: 2)
    parts, after_parts = one_iteration(run)
    np.testing.assert_allclose(parts.found.p_max, whole.found.p_max, rtol=1e-12)
    np.testing.assert_allclose(after_parts.references, after_whole.references, atol=1e-12)
    np.testing.assert_allclose(after_parts.sigma2_noise, after_whole.sigma2_noise, rtol=1e-12)


@pytest.mark.parametrize("where", ["coarse_pass", "score_tile"])
def test_memory_that_runs_out_halves_the_work_and_changes_nothing(problem, monkeypatch, where):
    run, _ = problem
    monkeypatch.setattr(expectation, "SPARSE_POSES", 0)
    whole, after_whole = one_iteration(run)
    real = getattr(expectation, where)

    def needs_room(plan, *operands):
        images = next(each for each in operands if hasattr(each, "score_power"))
        if len(images.score_power) > 2:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: 9e9 bytes"
            )
        return real(plan, *operands)

    monkeypatch.setattr(expectation, where, needs_room)
    parts, after_parts = one_iteration(run)
    assert any("memory ran out" in note for note in parts.notes)
    np.testing.assert_allclose(parts.found.p_max, whole.found.p_max, rtol=1e-12)
    np.testing.assert_allclose(after_parts.references, after_whole.references, atol=1e-12)


def test_other_errors_are_not_taken_for_a_lack_of_memory(problem, monkeypatch):
    def broken(*operands):
        raise RuntimeError("shapes do not agree")

    monkeypatch.setattr(expectation, "coarse_pass", broken)
    with pytest.raises(RuntimeError, match="shapes do not agree"):
        one_iteration(problem[0])
