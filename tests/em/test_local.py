"""Local searches: neighbourhoods against slow loops, and the two ways of searching them against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_volume import from_volumes
from two_halves import locally, some_angles
from two_sides import expected_by, stated_twice

from verglas.em.operands.operands import operands_of
from verglas.em.poses.grid import OrientationGrid
from verglas.em.poses.local import LocalSearch
from verglas.em.poses.step_table import StepTable
from verglas.em.schedule.common import sized
from verglas.em.state.sampling import Sampling
from verglas.em.volumes.search import VolumeSearch
from verglas.fourier.lattice import Lattice
from verglas.fourier.slicing import slice_steps
from verglas.fourier.volume import Volume
from verglas.geometry.euler import euler_angles, euler_matrices, view_vectors
from verglas.geometry.symmetry import PointGroup

SIGMA = 7.5


def grid_of(symmetry: str, order: int = 2) -> OrientationGrid:
    step = 60 / 2**order
    sampling = Sampling(3, 1, step, 5.0, 2.0, order, symmetry, perturbation=0.3, local_sigma_deg=(SIGMA,) * 3)
    return OrientationGrid.of(sampling)


def slowly(grid: OrientationGrid, group: PointGroup, angles: np.ndarray) -> dict[int, float]:
    """Prior of every orientation around one, by loops over mates, directions and angles in the plane."""
    total: dict[int, float] = {}
    vectors = view_vectors(grid.directions_deg).numpy()
    for mate in euler_angles(group.mates(euler_matrices(angles))).numpy():
        centre = view_vectors(torch.from_numpy(mate[:2])).numpy()
        away = np.rad2deg(np.arccos(np.clip(vectors @ centre, -1, 1)))
        turn = np.abs((grid.psi_deg.numpy() - mate[2] + 180) % 360 - 180)
        near, psis = np.nonzero(away < 3 * SIGMA)[0], np.nonzero(turn < 3 * SIGMA)[0]
        weight = np.exp(-0.5 * (away[near] / SIGMA) ** 2)
        psi_weight = np.exp(-0.5 * (turn[psis] / SIGMA) ** 2)
        for d, w in zip(near, weight / max(weight.sum(), 1e-300)):
            for p, v in zip(psis, psi_weight / psi_weight.sum()):
                total[int(d) * grid.n_psi + int(p)] = total.get(int(d) * grid.n_psi + int(p), 0) + w * v
    whole = sum(total.values())
    return {number: weight / whole for number, weight in total.items()}


@pytest.mark.parametrize("symmetry", ["C1", "D2", "O"])
def test_neighbourhoods_are_those_of_slow_loops(symmetry):
    grid, group, angles = grid_of(symmetry), PointGroup.of(symmetry), some_angles(6)
    found = LocalSearch(grid, group).around(angles)
    for row, one in enumerate(angles):
        expected = slowly(grid, group, one)
        count = int(found.counts[row])
        assert sorted(expected) == found.numbers[row, :count].tolist()
        prior = found.log_prior[row, :count].exp()
        np.testing.assert_allclose(prior, [expected[k] for k in sorted(expected)], rtol=1e-9)
        assert (found.numbers[row, count:] == -1).all()


def test_a_neighbourhood_is_never_empty():
    grid = replace(grid_of("C1"), sampling=replace(grid_of("C1").sampling, local_sigma_deg=(0.01,) * 3))
    found = LocalSearch(grid, PointGroup.of("C1")).around(some_angles(5))
    assert (found.counts >= 1).all()
    np.testing.assert_allclose(found.log_prior.exp().sum(1), 1)


def test_buckets_hold_every_particle_once_with_its_own_prior():
    grid, group = grid_of("C1"), PointGroup.of("C1")
    search, rows = LocalSearch(grid, group), np.arange(40) + 7
    angles = np.repeat(some_angles(8), 5, 0) + np.random.default_rng(0).normal(0, 2, (40, 3))
    found, seen = search.around(angles), []
    for bucket in search.buckets(rows, angles):
        for line, row in enumerate(bucket.rows):
            own = bucket.numbers[torch.isfinite(bucket.log_prior[line])]
            count = int(found.counts[row - 7])
            assert own.tolist() == found.numbers[row - 7, :count].tolist()
        seen += bucket.rows.tolist()
    assert sorted(seen) == rows.tolist()


def test_steps_of_tables_are_those_of_matrices():
    grid, padding = grid_of("D2"), 2.0
    frame = torch.eye(3, dtype=torch.float64)
    frame[:2, :2] = torch.tensor([[1.02, 0.01], [0.01, 0.98]])
    numbers = torch.tensor([0, 5, len(grid) - 1, 17])
    lattice, like = Lattice(3, 8, padding), torch.zeros(0, dtype=torch.float64)
    expected = slice_steps(
        frame @ euler_matrices(grid.coarse(numbers)), lattice, torch.float64, torch.device("cpu")
    )
    found = StepTable.coarse(grid, frame, padding, like)(numbers)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    child = torch.tensor([0, 7, 3, 5])
    expected = slice_steps(
        frame @ euler_matrices(grid.fine(numbers, child)), lattice, torch.float64, torch.device("cpu")
    )
    found = StepTable.fine(grid, frame, padding, like)(numbers * grid.children + child)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def local_problem():
    run, _ = locally(*stated_twice(box=16, pixel=4.0, size=12, n=6, dims=3, fold=2))
    return run


def test_lists_and_buckets_of_poses_give_the_same_sums(monkeypatch):
    run = local_problem()
    _, buckets = expected_by(run)
    _, lists = expected_by(from_volumes(monkeypatch, run))
    assert (lists.found.n_significant == buckets.found.n_significant).all()
    for name in ("rot_deg", "tilt_deg", "psi_deg", "origin_yx_angst", "p_max", "norm", "log_likelihood"):
        np.testing.assert_allclose(getattr(lists.found, name), getattr(buckets.found, name), rtol=1e-9)
    for name in ("data", "weight", "noise", "direction_weight", "scale_cross", "sigma2_offset"):
        mine, theirs = getattr(lists.sums, name), getattr(buckets.sums, name)
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


def test_the_first_pass_from_volumes_ends_at_the_circle_of_its_own_size():
    run = local_problem()
    run = replace(run, state=sized(run.settings, run.state, 2, whole=True))
    estep, _ = expected_by(run)
    operands = operands_of(estep, run.particles.optics[0])
    assert operands.n_coarse < len(operands.pixels)
    search = VolumeSearch.of(operands, Volume(estep.projector.lattice, estep.projector.values))
    seen = torch.zeros(operands.n_coarse, dtype=torch.bool)
    seen[search.coarse_order] = search.coarse_pixels.seen
    indices, pixels = operands.pixels.indices_yx[: operands.n_coarse], operands.pixels
    radius = int(pixels.shells[operands.n_coarse - 1])
    assert torch.equal(seen, indices.square().sum(1) <= radius**2)
    assert not seen.all()


def test_a_local_search_with_wide_priors_is_a_global_one_with_that_prior(monkeypatch):
    """With a cone that holds everything and a flat prior nothing distinguishes the two."""
    run = local_problem()
    wide = replace(run.state.sampling, local_sigma_deg=(1e6,) * 3, symmetry="C1")
    settings = replace(run.settings, symmetry="C1")
    n = len(OrientationGrid.of(wide).pixels)
    weights = np.repeat(run.state.model.class_weights[:, None] / n, n, 1)
    model = replace(run.state.model, direction_weights=weights)
    state = replace(run.state, sampling=wide, models=(model,))
    _, local = expected_by(replace(run, settings=settings, state=state))
    everywhere = replace(state, sampling=replace(wide, local_sigma_deg=(0.0,) * 3))
    _, whole = expected_by(replace(run, settings=settings, state=everywhere))
    assert (local.found.n_significant == whole.found.n_significant).all()
    np.testing.assert_allclose(local.found.p_max, whole.found.p_max, rtol=1e-7)
    scale = float(whole.sums.data.abs().max())
    torch.testing.assert_close(local.sums.data, whole.sums.data, rtol=1e-6, atol=1e-7 * scale)
