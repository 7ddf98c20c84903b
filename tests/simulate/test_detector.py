"""Counting statistics, gain, bad pixels."""

import numpy as np
import pytest
from scipy import stats

from verglas.simulate.detector import count_electrons, counting_mtf, random_camera


@pytest.mark.parametrize("mean", [0.02, 0.7, 3.5, 12.0, 45.0])
def test_counts_are_poisson(mean):
    rng = np.random.default_rng(1)
    counts = count_electrons(np.full((500, 500), mean, np.float32), rng).ravel()
    top = int(stats.poisson.ppf(0.999, mean))
    seen = np.bincount(counts, minlength=top + 2)
    expected = stats.poisson.pmf(np.arange(top + 1), mean) * counts.size
    expected = np.append(expected, counts.size - expected.sum())
    observed = np.append(seen[: top + 1], seen[top + 1 :].sum())
    keep = expected > 20
    chi2 = ((observed - expected) ** 2 / expected)[keep].sum()
    assert chi2 < stats.chi2.ppf(0.9999, keep.sum())


def test_counts_of_neighbours_and_of_frames_do_not_know_each_other():
    rng = np.random.default_rng(2)
    flat = np.full((400, 400), 1.5, np.float32)
    a, b = (count_electrons(flat, rng).astype(float) - 1.5 for _ in range(2))
    for left, right in ((a[:, 1:], a[:, :-1]), (a[1:], a[:-1]), (a, b)):
        assert abs((left * right).mean() / 1.5) < 0.012


def test_negative_expectation_counts_nothing():
    assert count_electrons(np.full((4, 4), -1, np.float32), np.random.default_rng(0)).sum() == 0


def test_corrected_frames_are_flat_and_raw_ones_are_not():
    rng = np.random.default_rng(3)
    camera = random_camera((128, 128), rng, gain_spread=0.1, hot=5, dead=4)
    flat = np.full((128, 128), 4.0, np.float32)
    total = sum(camera.expose(flat, rng).astype(float) for _ in range(200)) / 200
    good = np.ones((128, 128), bool)
    good[tuple(camera.hot_yx.T)] = good[tuple(camera.dead_yx.T)] = False
    corrected = (total * camera.gain)[good]
    assert corrected.mean() == pytest.approx(4.0, rel=2e-3)
    # what is left is counting noise alone: sqrt(4 gain / 200)
    assert corrected.std() == pytest.approx(np.sqrt(4 * camera.gain[good].mean() / 200), rel=0.05)
    assert total[good].std() > 1.8 * corrected.std()
    assert (camera.gain[tuple(camera.dead_yx.T)] == 0).all()
    assert (total[tuple(camera.dead_yx.T)] == 0).all()
    assert (total[tuple(camera.hot_yx.T)] > 20).all()
    assert camera.gain[camera.gain > 0].mean() == pytest.approx(1, rel=1e-2)


def test_mtf_falls_from_one():
    mtf = counting_mtf(np.linspace(0, 0.5, 6))
    assert mtf[0] == 1
    assert (np.diff(mtf) < 0).all()
    assert 0.4 < mtf[-1] < 0.6
