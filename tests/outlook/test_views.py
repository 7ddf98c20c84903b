"""Views of particles: even ones, preferred ones, what symmetry makes of them, and the tilt that helps."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.outlook.stage_tilt import views_of

N = 3000


def angles(kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    even = np.rad2deg(np.arccos(rng.uniform(-1, 1, N)))
    cap = np.abs(rng.normal(0, 8, N))
    tilt = {"even": even, "cap": cap, "mostly": np.where(rng.random(N) < 0.8, cap, even)}[kind]
    return rng.uniform(-180, 180, N), tilt


def test_even_views_need_nothing():
    found = views_of(*angles("even"), "C1")
    assert found.now.efficiency > 0.95 and found.tilt_deg is None and not found.poor
    assert "from all sides" in found.words


def test_a_missing_cone_asks_for_a_tilt_that_fills_most_of_it():
    found = views_of(*angles("cap"), "C1")
    assert found.poor and found.now.missing > 0.5 and found.tilt_deg == 40
    assert found.tilted.missing < 0.3
    assert "Tilting the stage by 40° would help" in found.words


def test_symmetry_fills_what_views_leave_out():
    alone, octahedral = (views_of(*angles("cap"), group) for group in ("C1", "O"))
    assert octahedral.now.missing < alone.now.missing - 0.2
    assert octahedral.tilt_deg < 40 and octahedral.tilted.efficiency > 0.6  # a small tilt is enough


def test_most_in_one_view_is_told_by_the_efficiency():
    found = views_of(*angles("mostly"), "C1")
    assert found.now.missing < 0.05 and found.now.efficiency < 0.5 and found.tilt_deg is not None


def test_a_few_particles_tell_nothing():
    assert views_of(np.zeros(20), np.zeros(20), "C1").now is None
    with pytest.raises(ValueError, match="point group"):
        views_of(np.zeros(200), np.zeros(200), "X9")
