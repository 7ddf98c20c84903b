"""The measures themselves."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.simulate.score import (
    PickScore,
    class_purity,
    drift_rms,
    match_points,
    normalised_mutual_information,
    score_picks,
)


def test_drift_ignores_the_common_offset_and_has_shifts_opposite_to_drift() -> None:
    drift = np.cumsum(np.random.default_rng(0).normal(size=(20, 2)), axis=0)
    assert drift_rms(-drift + 7, drift) == pytest.approx(0)
    assert drift_rms(drift, drift) > 1
    with pytest.raises(ValueError, match="20 and 19 frames"):
        drift_rms(drift, drift[1:])


def test_each_true_point_is_used_once_and_the_nearest_wins() -> None:
    truth = np.array([[10.0, 10.0], [50.0, 50.0]])
    found = np.array([[12.0, 10.0], [10.5, 10.0], [80.0, 80.0]])
    assert match_points(found, truth, 5).tolist() == [-1, 0, -1]
    assert score_picks(found, truth, 5) == PickScore(hits=1, picks=3, truth=2)


def test_two_found_points_near_two_true_ones_all_match() -> None:
    truth = np.array([[10.0, 10.0], [14.0, 10.0]])
    found = np.array([[11.5, 10.0], [10.9, 10.0]])
    assert sorted(match_points(found, truth, 6).tolist()) == [0, 1]


def test_a_border_is_left_out_on_both_sides() -> None:
    truth = np.array([[4.0, 50.0], [50.0, 50.0]])
    found = np.array([[6.0, 50.0], [50.0, 50.0], [2.0, 2.0]])
    score = score_picks(found, truth, 5, border=5, shape_yx=(100, 100))
    assert score == PickScore(1, 1, 1)
    assert score.f1 == 1


def test_empty_lists_score_zero() -> None:
    empty = np.zeros((0, 2))
    assert score_picks(empty, np.ones((3, 2)), 5) == PickScore(0, 0, 3)
    assert score_picks(np.ones((3, 2)), empty, 5).f1 == 0


def test_purity_and_information() -> None:
    assert class_purity([1, 1, 2, 2], [5, 5, 6, 6]) == 1
    assert class_purity([1, 1, 1, 1], [5, 5, 6, 6]) == 0.5
    assert normalised_mutual_information([1, 1, 2, 2], [9, 9, 4, 4]) == pytest.approx(1)
    assert normalised_mutual_information([1, 2, 1, 2], [9, 9, 4, 4]) == pytest.approx(0)
