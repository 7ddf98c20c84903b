"""Whole-frame motion: right tracks, honest errors, and nothing invented where there is no signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from verglas.motion.correction import correct_movie
from verglas.motion.results import CorrectedMovie
from verglas.motion.settings import MotionSettings


@pytest.fixture
def correct(sim: Any) -> Any:
    def run(movie: np.ndarray, **options: Any) -> CorrectedMovie:
        gain, defects = options.pop("gain", None), options.pop("defects", None)
        settings = MotionSettings(**{"pixel_size_angst": 1.0, "dose_per_frame_e_a2": 0.1} | options)
        return correct_movie(sim.source(movie), settings, gain=gain, defects=defects)

    return run


@pytest.mark.parametrize("n_frames", [2, 7, 16])
def test_track_is_found_and_its_error_foretold(sim: Any, correct: Any, n_frames: int) -> None:
    track = sim.track(n_frames)
    motion = correct(sim.movie(track)).motion
    assert sim.error(motion.shifts_yx, track) < 0.25
    assert 0.2 < sim.error(motion.shifts_yx, track) / motion.expected_rms_px < 2.5
    assert np.all(motion.shifts_yx[0] == 0)


def test_four_hundred_weak_frames(sim: Any, correct: Any) -> None:
    track = np.repeat(sim.track(20, jump=0.02), 20, axis=0)
    movie = sim.movie(track, (256, 256), electrons=0.15)
    assert sim.error(correct(movie, dose_per_frame_e_a2=0.02).motion.shifts_yx, track) < 0.6


def test_one_frame_is_passed_through(sim: Any, correct: Any) -> None:
    movie = sim.movie(np.zeros((1, 2)))
    result = correct(movie, weight_by_dose=False)
    np.testing.assert_allclose(result.image, movie[0], atol=1e-3)
    assert "one frame" in result.motion.messages[0]


def test_noise_is_left_where_it_is(correct: Any) -> None:
    movie = np.random.default_rng(0).poisson(2, (12, 256, 256)).astype(np.int16)
    for patches in ((1, 1), (5, 5)):
        motion = correct(movie, patches_yx=patches).motion
        assert np.all(motion.shifts_yx == 0)
        assert motion.local is None
        assert "too little signal" in motion.messages[0]


@pytest.mark.parametrize("value", [0, 3])
def test_empty_frames_do_no_harm(correct: Any, value: int) -> None:
    result = correct(np.full((4, 128, 128), value, np.int16), weight_by_dose=False)
    np.testing.assert_allclose(result.image, 4 * value, atol=1e-3)


def test_large_jumps_are_found(sim: Any, correct: Any) -> None:
    track = sim.track(10)
    track[5:] += (30, -22)
    shifts = correct(sim.movie(track), max_shift_px=50.0).motion.shifts_yx
    assert sim.error(shifts, track) < 0.3


def test_grouping_and_frame_range(sim: Any, correct: Any) -> None:
    track = sim.track(15)
    movie = sim.movie(track)
    grouped = correct(movie, group_frames=4).motion
    assert len(grouped.shifts_yx) == 15
    assert sim.error(grouped.shifts_yx, track) < 0.6
    part = correct(movie, first_frame=3, last_frame=12).motion
    assert (part.first_frame, len(part.shifts_yx), part.n_frames) == (2, 10, 15)
    assert sim.error(part.shifts_yx, track[2:12]) < 0.3


def test_a_range_outside_the_movie_is_refused(sim: Any, correct: Any) -> None:
    with pytest.raises(ValueError, match="the movie has 4"):
        correct(sim.movie(np.zeros((4, 2))), first_frame=9)


def test_memory_limit_rereads_the_file_and_changes_nothing(sim: Any) -> None:
    movie = sim.movie(sim.track(8))
    settings = MotionSettings(1.0, dose_per_frame_e_a2=0.1)
    whole, thrifty = sim.source(movie), sim.source(movie)
    a = correct_movie(whole, settings)
    b = correct_movie(thrifty, MotionSettings(1.0, dose_per_frame_e_a2=0.1, memory_bytes=1 << 25))
    assert whole.passes == 1
    c = correct_movie(thrifty, MotionSettings(1.0, dose_per_frame_e_a2=0.1, memory_bytes=1 << 22))
    assert thrifty.passes > 2
    np.testing.assert_allclose(a.motion.shifts_yx, b.motion.shifts_yx, atol=1e-3)
    assert sim.error(c.motion.shifts_yx, sim.track(8)) < 0.5
    np.testing.assert_allclose(a.image, b.image, atol=0.05)


def test_gain_defects_and_hot_pixels(sim: Any, correct: Any) -> None:
    track = sim.track(10)
    rng = np.random.default_rng(5)
    gain = rng.uniform(0.7, 1.4, (384, 384)).astype(np.float32)
    movie = np.rint(sim.movie(track, electrons=8.0) / gain).astype(np.int16)
    gain[100:104, 50] = 0
    defects = np.zeros((384, 384), bool)
    defects[200, :] = True
    movie[:, 200, :] = 999
    hot = rng.integers(0, 384, (20, 2))
    movie[:, hot[:, 0], hot[:, 1]] = 500
    result = correct(movie, gain=gain, defects=defects, weight_by_dose=False)
    assert sim.error(result.motion.shifts_yx, track) < 0.25
    found = {tuple(pixel) for pixel in result.motion.hot_pixels_yx.tolist()}
    unusable = defects | (gain == 0)
    assert found == {tuple(pixel) for pixel in hot.tolist() if not unusable[tuple(pixel)]}
    assert result.image.max() < 3 * result.image.mean()


def test_gain_of_another_shape_names_both_shapes(sim: Any, correct: Any) -> None:
    with pytest.raises(ValueError, match="gain reference has 10 x 20 pixels, the movie 384 x 384"):
        correct(sim.movie(np.zeros((3, 2))), gain=np.ones((20, 10), np.float32))


def test_super_resolution_binned_by_two(sim: Any, correct: Any) -> None:
    track = sim.track(8)
    movie = sim.movie(track, (512, 512))
    result = correct(movie, bin_factor=2.0, weight_by_dose=False)
    assert result.image.shape == (256, 256)
    assert result.pixel_size_angst == 2.0
    assert sim.error(result.motion.shifts_yx, track) < 0.4  # unbinned pixels
    np.testing.assert_allclose(result.image.mean(), 4 * movie.mean() * len(movie) / 4, rtol=1e-3)
