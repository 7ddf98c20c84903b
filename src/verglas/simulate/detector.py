"""The camera: gain, dead and hot pixels, modulation transfer, counting of single electrons."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

_SEARCH_LIMIT = 20.0  # expected counts up to which searching the distribution is the quickest
_SATURATION = 65535


@dataclass(frozen=True, slots=True)
class Camera:
    """A detector: corrected frame = raw counts x gain; gain is 0 where a pixel is dead."""

    gain: NDArray[np.float32]  # (H, W), mean 1
    hot_yx: NDArray[np.int64]  # (h, 2)
    hot_counts: NDArray[np.int64]  # (h,) what they show in every frame, about
    dead_yx: NDArray[np.int64]  # (d, 2)

    def expose(self, expected: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
        """Raw counts of one frame for expected electrons (H, W): Poisson(expected / gain)."""
        responsive = np.where(self.gain > 0, self.gain, np.float32(1))
        counts = count_electrons(np.divide(expected, responsive, dtype=np.float32), rng)
        counts[tuple(self.dead_yx.T)] = 0
        counts[tuple(self.hot_yx.T)] = rng.poisson(self.hot_counts)
        return counts


def random_camera(
    shape_yx: tuple[int, int],
    rng: np.random.Generator,
    *,
    gain_spread: float = 0.05,
    hot: int = 20,
    dead: int = 10,
    hot_level: float = 60.0,
) -> Camera:
    """Pixels that differ by `gain_spread` r.m.s., in slow waves, read-out columns and one by one."""
    height, width = shape_yx
    coarse = rng.standard_normal((6, 6))
    slow = scipy.ndimage.zoom(coarse, (height / 6, width / 6), order=1, grid_mode=True, mode="nearest")
    columns = np.repeat(rng.standard_normal(-(-width // 128)), 128)[:width]
    relative = 0.5 * slow + 0.4 * columns[None] + 0.75 * rng.standard_normal(shape_yx)
    gain = np.maximum(1 + gain_spread * relative, 0.2)
    gain = (gain / gain.mean()).astype(np.float32)
    chosen = rng.choice(height * width, hot + dead, replace=False)
    places = np.stack(np.unravel_index(chosen, shape_yx), axis=1).astype(np.int64)
    gain[tuple(places[hot:].T)] = 0
    levels = np.round(hot_level * rng.uniform(0.5, 2.0, hot)).astype(np.int64)
    return Camera(gain, places[:hot], levels, places[hot:])


def count_electrons(expected: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Poisson counts (H, W) of expected numbers; negative ones count as 0, 65535 is the largest count."""
    if float(expected.max()) > _SEARCH_LIMIT:
        many = rng.poisson(np.maximum(expected, 0))
        return np.minimum(many, _SATURATION).astype(np.uint16)
    counts = np.empty(expected.shape, np.uint16)
    _count(np.ascontiguousarray(expected, np.float32), counts, np.uint64(rng.integers(1, 2**63)))
    return counts


@numba.njit(cache=True)  # type: ignore[misc,unused-ignore]
def _count(expected: NDArray[np.float32], counts: NDArray[np.uint16], seed: np.uint64) -> None:
    """Inversion of the distribution by search; uniform numbers of splitmix64."""
    state = seed
    for i in range(expected.shape[0]):
        for j in range(expected.shape[1]):
            state += np.uint64(0x9E3779B97F4A7C15)
            z = state
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            uniform = (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)
            mean = expected[i, j]
            chance = np.exp(-mean) if mean > 0 else 1.0
            number = 0
            while uniform >= chance and number < 200:
                uniform -= chance
                number += 1
                chance *= mean / number
            counts[i, j] = number


def counting_mtf(frequency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Modulation transfer of a counting detector at frequencies in 1/pixel (0.5 is Nyquist).

    A product of a pixel's sinc and a mild spread: 1 at 0, 0.83 at half Nyquist, 0.49 at Nyquist.
    """
    spread: NDArray[np.float32] = np.sinc(frequency) * np.exp(-1.05 * frequency**2)
    return spread
