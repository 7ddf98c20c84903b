"""3D classification against the plain float64 implementation: one iteration, with and without symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from plain.maximisation import iterate
from plain.poses import asymmetric_pixels, healpix
from two_sides import SECOND_PASSES, assert_agrees, choose_second_pass, one_iteration, stated_twice

from verglas.em.operands import operands
from verglas.em.scoring import tile_sums
from verglas.geometry.healpix import healpix_directions
from verglas.geometry.symmetry import PointGroup

BOX, PIXEL, SIZE, N, SHELLS = 16, 4.0, 12, 3, 6


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["C1", "C2", "C3"])
def problem(request):
    """A problem and what the plain implementation makes of it."""
    run, stated = stated_twice(box=BOX, pixel=PIXEL, size=SIZE, n=N, dims=3, fold=request.param)
    return run, iterate(stated)


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_one_iteration_of_maps_agrees_with_the_plain_implementation(problem, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    run, expected = problem
    assert_agrees(*one_iteration(run), expected, SHELLS)


@pytest.mark.parametrize("second_pass", ["dense tiles", "sparse pass"])
def test_maps_whose_slices_do_not_fit_into_memory_agree(problem, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    monkeypatch.setattr(operands, "FINE_SLICES_BYTES", 0)
    monkeypatch.setattr(tile_sums, "SMALL_SHARE", 2.0)  # unused columns are always left out
    run, expected = problem
    assert_agrees(*one_iteration(run), expected, SHELLS)


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_directions_of_both_sides_are_the_same(fold):
    for order in (0, 1):
        pixels = PointGroup.of(f"C{fold}").asymmetric_pixels(order)
        assert pixels.tolist() == asymmetric_pixels(order, fold)
        plain = np.array([healpix(order, pixel) for pixel in range(12 * 4**order)])
        away = np.remainder(healpix_directions(order).numpy() - plain + 180, 360) - 180
        np.testing.assert_allclose(away, 0, atol=1e-9)
