"""Gain references: the right one of eight orientations, and one made from the movies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from verglas.formats.gain import Gain, orient
from verglas.jobs.motioncorr.gain_estimation import gain_orientations
from verglas.motion.gain import GainEstimate, gain_fit


@pytest.fixture(scope="module")
def sensor() -> np.ndarray:
    """Sensitivities with a pixel pattern and brighter halves."""
    pattern = np.random.default_rng(0).normal(1, 0.05, (256, 256))
    pattern[:128] *= 1.1
    return pattern


def counts(sensor: np.ndarray, sim: Any, seed: int, electrons: float = 20.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scene = electrons * np.maximum(1 + 0.3 * sim.specimen(sensor.shape, seed), 0)
    return rng.poisson(scene * sensor).astype(float)


@pytest.mark.parametrize("flip", [0, 1, 2])
@pytest.mark.parametrize("rotation", range(4))
def test_orientation_is_found(sensor: np.ndarray, sim: Any, rotation: int, flip: int) -> None:
    seen = 1 / sensor
    # the file holds what, turned by (rotation, flip), becomes the gain of the movie
    in_file = next(
        candidate
        for r in range(4)
        for f in range(3)
        if np.array_equal(orient(candidate := orient(seen, r, f), rotation, flip), seen)
    )
    gain = Gain("g", in_file.astype(np.float32), np.zeros(in_file.shape, bool), False)
    best, second, *_ = gain_orientations(gain, counts(sensor, sim, 1))
    assert np.array_equal(orient(in_file, best.rotation, best.flip), seen)
    assert best.fit.is_clear
    assert not second.fit.is_clear


def test_a_strange_gain_fits_nowhere(sensor: np.ndarray, sim: Any) -> None:
    other = np.random.default_rng(9).normal(1, 0.05, sensor.shape)
    assert not gain_fit(counts(sensor, sim, 1), 1 / other).is_clear


def test_a_dividing_gain_correlates_negatively(sensor: np.ndarray, sim: Any) -> None:
    assert gain_fit(counts(sensor, sim, 1), sensor).correlation < -0.1


def test_gain_from_many_movies(sensor: np.ndarray, sim: Any) -> None:
    sensor = sensor.copy()
    sensor[5, 6] = 0
    estimate = GainEstimate(sensor.shape)
    for seed in range(120):
        movie = counts(sensor, sim, seed)
        movie[100:140, 30:80] *= 0.2 if seed == 0 else 1  # something opaque in one movie
        estimate.add(movie, 10)
    factors = estimate.factors()
    assert factors[5, 6] == 0
    truth = sensor.mean() / np.where(sensor > 0, sensor, 1)
    error = (factors / truth - 1)[sensor > 0]
    assert error.std() < 1.3 * np.hypot(estimate.noise, 0.3 / np.sqrt(120))
    assert (estimate.n_movies, estimate.n_frames) == (120, 1200)


def test_movies_of_another_shape_are_refused(sensor: np.ndarray) -> None:
    estimate = GainEstimate(sensor.shape)
    with pytest.raises(ValueError, match="frames of 4 x 3 pixels, the first movie had 256 x 256"):
        estimate.add(np.ones((3, 4)), 1)
