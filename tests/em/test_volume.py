"""The second pass from volumes: against loops in float64, against whole iterations, and kernel by kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plain.maximisation import iterate
from plain_lists import Problem, agreement_of, scores_of
from two_sides import assert_agrees, expected_by, stated_twice

from verglas.em.maximise.maximisation import maximise
from verglas.em.state.settings import GradientSettings
from verglas.em.volumes import second_pass as volume_pass
from verglas.em.volumes.hit_lists import CoarseHits, hit_lists
from verglas.em.volumes.locality import direction_order, patch_order
from verglas.em.volumes.volume import LatticeSums, accumulate_lists, score_lists
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.lattice import Lattice
from verglas.fourier.slicing import slice_steps
from verglas.fourier.volume import Volume
from verglas.geometry.euler import euler_matrices


def test_scores_are_those_of_slices_made_one_by_one():
    problem = Problem.random(torch.float64)
    for shifts in (problem.shifts, problem.all_shifts):
        found = score_lists(
            problem.volume,
            problem.pixels,
            problem.poses,
            shifts,
            problem.images.score,
            problem.images.score_power,
            "double",
        )
        torch.testing.assert_close(found, scores_of(problem, shifts))


@pytest.mark.parametrize("gradient", [False, True])
def test_sums_are_those_of_slices_made_one_by_one(gradient):
    problem = Problem.random(torch.float64)
    lattice = problem.volume.lattice
    sums = LatticeSums.empty(lattice, problem.n_targets, torch.float64, torch.device("cpu"))
    found = accumulate_lists(
        problem.volume,
        problem.pixels,
        problem.accepted,
        problem.shifts.phases,
        problem.images,
        problem.marks,
        sums,
        gradient=gradient,
    )
    expected, back = agreement_of(problem, gradient)
    for name in ("cross", "power", "scale_sums"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    flushed = BackProjector(0, lattice, torch.zeros_like(back.data), torch.zeros_like(back.weight))
    sums.flush(flushed.data, flushed.weight)
    torch.testing.assert_close(flushed.data, back.data)
    torch.testing.assert_close(flushed.weight, back.weight)
    assert not sums.buffer.any()


def test_kernels_agree_with_plain_operations():
    pytest.importorskip("triton")
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "TRITON_INTERPRET": "1",
        "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, str(here / "plain_lists.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr


def random_hits(n: int, shared: bool) -> CoarseHits:
    generator = torch.Generator().manual_seed(3)
    hits = torch.rand((n, 5, 12), generator=generator) < torch.rand((n, 1, 1), generator=generator)
    hits[1] = False
    columns = torch.arange(100, 112)
    if not shared:
        columns = torch.stack([columns.roll(i) for i in range(n)])
    rand = lambda *shape: torch.rand(shape, generator=generator)  # noqa: E731
    return CoarseHits(hits, columns, (columns > 105).long(), rand(*columns.shape), rand(n, 2, 5))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("budget", [1, 4000, 1 << 20])
def test_lists_hold_every_hit_with_its_prior(shared, budget):
    n = 9
    found = random_hits(n, shared)
    seen: dict[tuple[int, int, int], float] = {}
    chunks = list(hit_lists(found, 2, 4, budget))
    for lists in chunks:
        for r, i in enumerate(lists.rows.tolist()):
            used = (lists.prior[r] > -torch.inf).nonzero().tolist()
            assert all(t < lists.shift_counts[r] and o < lists.column_counts[r] for t, o in used)
            for t, o in used:
                key = i, int(lists.shifts[r, t]), int(lists.columns[r, o])
                seen[key] = float(lists.prior[r, t, o])
    expected = {}
    for i, t, o in found.hits.nonzero().tolist():
        row = (lambda table: table if shared else table[i])(found.columns)
        klass = int((found.klass if shared else found.klass[i])[o])
        prior = (found.orientation_prior if shared else found.orientation_prior[i])[o]
        expected[i, t, int(row[o])] = float(prior + found.shift_prior[i, klass, t])
    assert seen == pytest.approx(expected)
    assert len(chunks) == (n - 1 if budget == 1 else len(chunks))
    assert len(chunks) > 1 or budget > 4000


def test_patches_keep_the_origin_first():
    indices = torch.cartesian_prod(torch.arange(-20, 21), torch.arange(0, 21))
    indices = indices[torch.argsort(indices.square().sum(1), stable=True)]
    order = patch_order(indices)
    assert order[0] == 0 and order.sort().values.equal(torch.arange(len(indices)))
    steps = indices[order][1:].diff(dim=0).abs().amax(1)
    assert steps.float().mean() < 3


def test_slices_of_near_planes_come_together():
    torch.manual_seed(2)
    angles = torch.rand(4000, 3, dtype=torch.float64) * torch.tensor([360.0, 180.0, 360.0])
    matrices = euler_matrices(angles)
    order = direction_order(slice_steps(matrices, Lattice(3, 8, 2.0), torch.float32, torch.device("cpu")))
    assert order.sort().values.equal(torch.arange(4000))
    normal = matrices[:, 2]
    apart = lambda a, b: torch.rad2deg((a * b).sum(1).abs().clamp(max=1).arccos())  # noqa: E731
    ordered = normal[order]
    assert apart(ordered[1:], ordered[:-1]).median() < 3
    assert apart(ordered[16:], ordered[:-16]).median() < 12
    assert apart(normal[1:], normal[:-1]).median() > 50


@pytest.mark.parametrize(
    ("gradient", "one_by_one"), [(None, False), (GradientSettings(), True)], ids=["EM", "VDAM"]
)
def test_one_iteration_agrees_with_the_plain_implementation(gradient, one_by_one, monkeypatch):
    run, stated = stated_twice(box=16, pixel=4.0, size=12, n=4, dims=3, gradient=gradient)
    expected = iterate(stated)
    if one_by_one:
        monkeypatch.setattr(volume_pass, "CHUNK_BYTES", 1)
        monkeypatch.setattr(volume_pass, "PAIRS_TOGETHER", 0)
    estep, ran = expected_by(from_volumes(monkeypatch, run))
    np.testing.assert_array_equal(ran.found.class_index, expected.klass)
    assert_agrees(ran, maximise(estep, ran.sums), expected, 6)


def from_volumes(monkeypatch, run):
    """The run with steps that score from the volumes, as on a GPU."""
    plain = type(run).estep

    def estep(self, task, device, half=0):
        made = plain(self, task, device, half)
        projector = made.projector
        return replace(made, volume=Volume(projector.lattice, projector.values))

    monkeypatch.setattr(type(run), "estep", estep)
    return run
