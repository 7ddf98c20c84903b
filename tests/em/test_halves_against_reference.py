"""Auto-refine against the plain float64 implementation: both halves, joined or not, in global and local searches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain.halves import iterate_halves
from plain.maximisation import iterate
from test_volume import from_volumes
from two_halves import in_halves, locally, one_iteration_of_halves
from two_sides import assert_agrees, choose_second_pass, one_iteration, stated_twice

from verglas.em.maximise import halves as maximisation
from verglas.em.maximise.halves import join_shell
from verglas.em.schedule.task import Task
from verglas.em.state.particles import ArraySource

BOX, PIXEL, N = 16, 4.0, 6
JOIN = 2  # shells up to 40 Å
CASES = {"halves": (12, 3, False), "halves in C2": (12, 2, False), "joined": (BOX, 2, True)}


def rows_of(found, rows):
    """Assignments of some particles."""
    names = (
        "class_index",
        "n_significant",
        "rot_deg",
        "tilt_deg",
        "psi_deg",
        "origin_yx_angst",
        "p_max",
        "norm",
        "log_likelihood",
    )
    return replace(found, **{name: getattr(found, name)[rows] for name in names})


def assert_halves_agree(run, problems, joined, size):
    expected, unfiltered = iterate_halves(problems, JOIN, joined)
    ran, result = one_iteration_of_halves(run, joined=joined)
    assert join_shell(run.estep(Task(2, np.arange(N)), run.devices[0])) == JOIN
    for half, (done, model) in enumerate(zip(ran, result.models)):
        rows = np.flatnonzero(run.particles.half == half)
        done = replace(done, found=rows_of(done.found, rows))
        assert_agrees(done, model, expected[half], size // 2)
        if joined:
            away = np.abs(model.unfiltered[0].numpy() - unfiltered[half]).max()
            assert away < 1e-7 * np.abs(unfiltered[half]).max()


@pytest.mark.parametrize("case", CASES)
def test_an_iteration_of_two_halves_agrees_with_the_plain_implementation(case):
    size, fold, joined = CASES[case]
    run, problems = in_halves(*stated_twice(box=BOX, pixel=PIXEL, size=size, n=N, dims=3, fold=fold))
    assert_halves_agree(run, problems, joined, size)


@pytest.mark.parametrize("fold", [2, 3])
def test_a_local_search_of_two_halves_agrees_with_the_plain_implementation(fold):
    run, stated = locally(*stated_twice(box=BOX, pixel=PIXEL, size=12, n=N, dims=3, fold=fold))
    assert_halves_agree(*in_halves(run, stated), False, 12)


@pytest.mark.parametrize("way", ["dense tiles", "sparse pass", "from volumes"])
def test_a_local_search_of_classes_agrees_with_the_plain_implementation(way, monkeypatch):
    run, stated = locally(*stated_twice(box=BOX, pixel=PIXEL, size=12, n=3, dims=3, fold=2))
    expected = iterate(stated)
    if way == "from volumes":
        run = from_volumes(monkeypatch, run)
    else:
        choose_second_pass(monkeypatch, way)
    assert_agrees(*one_iteration(run), expected, 6)


PER_HALF = ("sigma2_noise", "scale", "direction_weights", "sigma_offset_angst", "norm_average")


def an_iteration_with(monkeypatch, images_of_half_2: float):
    """The run after an iteration, and the sums that its half maps were made of."""
    seen = []

    def reconstruct(sums, *args, **kwargs):
        seen.append(replace(sums, data=sums.data.clone(), weight=sums.weight.clone()))
        return reconstruction(sums, *args, **kwargs)

    run, _ = in_halves(*stated_twice(box=BOX, pixel=PIXEL, size=12, n=N, dims=3, fold=2))
    images = run.source.read(np.arange(N)).copy()
    images[run.particles.half == 1] *= images_of_half_2
    run = replace(run, source=ArraySource(images))
    with monkeypatch.context() as patch:
        reconstruction = maximisation.reconstruct
        patch.setattr(maximisation, "reconstruct", reconstruct)
        run.iterate()
    return run, seen


def test_images_of_half_2_touch_half_1_in_the_joined_shells_only(monkeypatch):
    """§13.10; that the FSC regularises both is what they share."""
    (run, plain), (other, changed) = (an_iteration_with(monkeypatch, f) for f in (1.0, -0.7))
    lattice = plain[0].lattice
    beyond = lattice.squared_radius() > (lattice.padding * JOIN) ** 2
    for name in ("data", "weight"):
        a, b = (getattr(sums[0], name)[0] for sums in (plain, changed))
        assert torch.equal(a[beyond], b[beyond])
    assert not torch.equal(plain[0].data, changed[0].data)
    assert not torch.equal(plain[1].data[0][beyond], changed[1].data[0][beyond])
    for name in PER_HALF:
        mine, theirs = (getattr(one.state.models[0], name) for one in (run, other))
        np.testing.assert_array_equal(mine, theirs)
    rows = run.particles.half == 0
    for name in ("rot_deg", "tilt_deg", "psi_deg", "origin_yx_angst", "p_max", "norm"):
        mine, theirs = (getattr(one.state.assignments, name)[rows] for one in (run, other))
        np.testing.assert_array_equal(mine, theirs)
