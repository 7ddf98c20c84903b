"""The ascent against known maxima."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.ctf.ascent import climb


@pytest.mark.parametrize("d", [3, 4])
def test_climbers_reach_the_maxima_near_them(d: int) -> None:
    """Two hills of different width and direction, and starts on the flanks of both."""
    rng = np.random.default_rng(d)
    tops = np.stack([np.zeros(d), np.full(d, 9.0)])
    bends = [np.diag(0.3 + rng.uniform(size=d)) + 0.1 for _ in tops]

    def score(points: np.ndarray) -> np.ndarray:
        away = [points - top for top in tops]
        forms = [np.einsum("ni,ij,nj->n", a, b, a) for a, b in zip(away, bends, strict=True)]
        return np.exp(-forms[0] / 4) + 0.5 * np.exp(-forms[1] / 4)

    starts = tops + rng.uniform(-1.2, 1.2, tops.shape)
    places, values = climb(score, starts)
    assert np.allclose(places, tops, atol=0.01)
    assert np.allclose(values, [1, 0.5], atol=1e-4)


def test_a_maximum_on_a_kink_is_found() -> None:
    def score(points: np.ndarray) -> np.ndarray:
        beyond = np.maximum(points[:, 0] - 1, 0)
        values: np.ndarray = points[:, 0] - 5 * beyond - points[:, 1] ** 2 - (points[:, 2] - 2) ** 2
        return values

    places, _ = climb(score, np.zeros((1, 3)))
    assert np.allclose(places, [[1, 0, 2]], atol=0.1)
