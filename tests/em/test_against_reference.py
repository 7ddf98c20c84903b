"""The engine against the plain float64 implementation, and its fast passes against its dense one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from plain.maximisation import iterate
from plain.problem import Filament
from two_sides import SECOND_PASSES, assert_agrees, choose_second_pass, one_iteration, stated_twice

from verglas.em.operands.retry import TooLarge
from verglas.em.run import expectation, second_pass
from verglas.em.scoring.sparse_batch import batched_second_pass
from verglas.em.state.settings import HelixSettings

BOX, PIXEL, N, SHELLS = 24, 3.0, 6, 9


@pytest.fixture(scope="module")
def problem():
    return stated_twice(box=BOX, pixel=PIXEL, size=18, n=N)


@pytest.fixture(scope="module")
def expected(problem):
    return iterate(problem[1])


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_one_iteration_agrees_with_the_plain_implementation(problem, expected, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    assert_agrees(*one_iteration(problem[0]), expected, SHELLS)


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_scales_known_from_the_origin_alone_agree(problem, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    run, stated = problem
    ratio = np.where(np.arange(BOX // 2 + 1) < 1, 9.0, [[0.5], [0.5]])
    state = run.state.with_models(replace(run.state.model, data_vs_prior=ratio))
    expected = iterate(replace(stated, data_vs_prior=ratio))
    assert_agrees(*one_iteration(replace(run, state=state)), expected, SHELLS)


@pytest.fixture(scope="module", params=[3.0, 0.0], ids=["restricted", "tubes only"])
def helical(problem, request):
    """The same particles as segments of filaments, and what the plain implementation makes of them."""
    run, stated = problem
    rng = np.random.default_rng(1)
    psi, rise = rng.uniform(-180, 180, N), request.param
    tube_psi = psi + rng.normal(0, 5, N)
    helix = HelixSettings(rise_angst=rise, outer_diameter_angst=36.0, bimodal_psi=True)
    settings = replace(run.settings, helix=helix, sigma_psi_deg=9.0)
    found = run.state.assignments.copy()
    found.psi_deg = tube_psi
    run = replace(
        run,
        settings=settings,
        particles=replace(run.particles, psi_prior_deg=psi),
        state=replace(run.state, assignments=found),
    )
    filament = Filament(psi, tube_psi, 9.0, True, rise, 36.0)
    return run, iterate(replace(stated, filament=filament))


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_helical_segments_agree_with_the_plain_implementation(helical, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    run, found = helical
    assert_agrees(*one_iteration(run), found, SHELLS)
    away = np.remainder(found.psi - run.particles.psi_prior_deg + 90, 180) - 90
    assert (np.abs(away) < 27 + 7.5 + 9).all()  # window, half a coarse step, perturbation


@pytest.mark.parametrize("precision", ["single", "tensor"])
def test_lower_precision_stays_close(problem, expected, precision):
    run, _ = problem
    settings = replace(run.settings, precision=precision)
    model = replace(run.state.model, references=run.state.model.references.float())
    rough = replace(run, settings=settings, state=run.state.with_models(model))
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
    monkeypatch.setattr(expectation, "batch_size", lambda operands, threads: 2)
    parts, after_parts = one_iteration(run)
    np.testing.assert_allclose(parts.found.p_max, whole.found.p_max, rtol=1e-12)
    np.testing.assert_allclose(after_parts.references, after_whole.references, atol=1e-12)
    np.testing.assert_allclose(after_parts.sigma2_noise, after_whole.sigma2_noise, rtol=1e-12)


@pytest.mark.parametrize("where", ["coarse_pass", "score_tile"])
def test_memory_that_runs_out_halves_the_work_and_changes_nothing(problem, monkeypatch, where):
    run, _ = problem
    monkeypatch.setattr(second_pass, "SPARSE_POSES", 0)
    whole, after_whole = one_iteration(run)
    module = expectation if where == "coarse_pass" else second_pass
    real = getattr(module, where)

    def needs_room(operands, *arguments):
        images = next(each for each in arguments if hasattr(each, "score_power"))
        if len(images.score_power) > 2:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9e9 bytes")
        return real(operands, *arguments)

    monkeypatch.setattr(module, where, needs_room)
    parts, after_parts = one_iteration(run)
    assert any("memory ran out" in note for note in parts.notes)
    np.testing.assert_allclose(parts.found.p_max, whole.found.p_max, rtol=1e-12)
    np.testing.assert_allclose(after_parts.references, after_whole.references, atol=1e-12)


SHORT = "[enforce fail] DefaultCPUAllocator: can't allocate memory: 9e9 bytes"


def test_memory_that_runs_out_in_a_later_part_counts_nothing_twice(problem, monkeypatch):
    """The first chunk of hits has been added when the second does not fit."""
    run, _ = problem
    choose_second_pass(monkeypatch, "batched pass of a GPU")
    whole, after_whole = one_iteration(run)
    calls = []

    def in_two(self, few):
        for some in torch.tensor_split(few, 2):
            yield some, partial(self._with_kept_slices, short_of_memory, self.operands.fine)

    def short_of_memory(operands, coarse, rows, *rest):
        calls.append(len(rows))
        if len(calls) == 2:
            raise RuntimeError(SHORT)
        return batched_second_pass(operands, coarse, rows, *rest)

    monkeypatch.setattr(second_pass.SecondPass, "_sparse_parts", in_two)
    parts, after_parts = one_iteration(run)
    assert len(calls) > 3
    np.testing.assert_allclose(parts.found.p_max, whole.found.p_max, rtol=1e-12)
    np.testing.assert_allclose(after_parts.references, after_whole.references, atol=1e-12)
    np.testing.assert_allclose(after_parts.class_weights, after_whole.class_weights, rtol=1e-12)


def test_memory_that_runs_out_after_additions_ends_the_run_instead_of_counting_twice(problem, monkeypatch):
    def short(*arguments):
        raise RuntimeError(SHORT)

    monkeypatch.setattr(expectation, "note_poses", short)
    with pytest.raises(TooLarge, match="while results were added"):
        one_iteration(problem[0])


def test_other_errors_are_not_taken_for_a_lack_of_memory(problem, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("shapes do not agree")

    monkeypatch.setattr(expectation, "coarse_pass", broken)
    with pytest.raises(RuntimeError, match="shapes do not agree"):
        one_iteration(problem[0])
