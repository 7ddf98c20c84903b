"""Pixels that are wrong in every frame: found in the unaligned sum, replaced frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
THRESHOLD_SIGMA = 6.0
LEAST_GOOD_NEIGHBOURS = 7


def hot_pixels(unaligned_sum: Array, usable: Array) -> Array:  # (y, x) each -> (n, 2) y, x
    """Pixels whose sum over the frames exceeds mean + 6 sigma of the usable ones (refinement.md §10.1.1).

    Counts are skewed: the threshold is put where six sigma would be for a symmetric distribution, so that
    few counts per pixel do not make pixels hot. Mean and sigma are taken a second time without the pixels
    found first, so that one glaring pixel does not hide the fainter ones.
    """
    found = np.zeros(unaligned_sum.shape, bool)
    for _ in range(2):
        values = unaligned_sum[usable & ~found]
        if values.size == 0:
            break
        limit = hot_limit(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))
        found |= usable & (unaligned_sum > limit)
    return np.argwhere(found)


def hot_limit(mean: float, sigma: float) -> float:
    """Six sigma with the first term of the Cornish-Fisher expansion; Poisson's skewness is sigma / mean."""
    skewness = sigma / mean if mean > 0 else 0.0
    return mean + sigma * (THRESHOLD_SIGMA + (THRESHOLD_SIGMA**2 - 1) / 6 * skewness)


@njit(cache=True)
def _next_random(state: np.uint64) -> np.uint64:
    """One step of the xorshift64 generator: enough for choosing a neighbour."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@njit(cache=True)
def _good_neighbour(bad: Array, y: int, x: int, reach: int, state: np.uint64) -> int:
    """Flat index of a random good pixel near (y, x); -1 if there are too few to choose from."""
    height, width = bad.shape
    count = 0
    for pick in range(2):
        chosen = int(state % np.uint64(max(count, 1)))
        seen = 0
        for j in range(max(0, y - reach), min(height, y + reach + 1)):
            for i in range(max(0, x - reach), min(width, x + reach + 1)):
                if not bad[j, i]:
                    if pick == 1 and seen == chosen:
                        return j * width + i
                    seen += 1
        count = seen
        if count < LEAST_GOOD_NEIGHBOURS:
            return -1
    return -1


@njit(cache=True)
def stand_ins(
    bad: Array,  # (y, x) bool
    positions: Array,  # (n, 2) y, x of the bad pixels
    seed: int,  # of the frame
    reach: int,
) -> tuple[Array, Array]:
    """Where bad pixels take their value from in one frame: flat indices (n,), normal deviates (n,).

    The index is that of a random good neighbour, or -1 in a large hole; there mean + sigma * deviate is
    the value.
    """
    state = np.uint64(seed * 2 + 1) * np.uint64(0x9E3779B97F4A7C15)
    sources = np.empty(len(positions), np.int64)
    deviates = np.zeros(len(positions), np.float32)
    for index in range(len(positions)):
        y, x = positions[index]
        state = _next_random(state)
        sources[index] = _good_neighbour(bad, y, x, reach, state)
        if sources[index] < 0:
            total = 0.0
            for _ in range(12):  # the sum of twelve uniform deviates is normal enough here
                state = _next_random(state)
                total += float(state >> np.uint64(11)) / 9007199254740992.0
            deviates[index] = total - 6.0
    return sources, deviates
