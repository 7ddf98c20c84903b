"""Which poses matter: the fewest weights that hold a given fraction of their sum (refinement.md §2.8)."""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

_BISECTIONS = 14


def mass_thresholds(weights: Tensor, fraction: float, at_most: int = -1) -> tuple[Tensor, Tensor]:
    """Per row, the smallest weight among those that add up to more than `fraction` of the row's sum.

    `weights` (b, n) >= 0. Returns thresholds (b,) and how many weights are counted (b,), int64. With
    `at_most` > 0 no more than that many are counted. A row of zeros gives threshold inf and count 0.
    """
    if weights.device.type == "cpu":
        array = weights.contiguous().numpy()
        limit = at_most if at_most > 0 else array.shape[1]
        found = np.empty(len(array), array.dtype)
        counts = np.empty(len(array), np.int64)
        _rows(array, fraction, limit, found, counts)
        return torch.from_numpy(found), torch.from_numpy(counts)
    return thresholds_by_bisection(weights, fraction, at_most)


def thresholds_by_bisection(
    weights: Tensor, fraction: float, at_most: int = -1
) -> tuple[Tensor, Tensor]:
    """The same with reductions only, for a GPU: thresholds to 0.2 %, never leaving out what is counted.

    A weight below max·(1 - fraction)/n cannot be the threshold, because all such weights together hold less
    than the rest that may be left out; that bounds the logarithm from below.
    """
    total = weights.sum(1, dtype=torch.float64)
    high = weights.amax(1).clamp_min(1e-30).log2().double()
    low = high + math.log2((1 - fraction) / weights.shape[1]) - 1
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        kept = weights >= middle.exp2().to(weights.dtype)[:, None]
        enough = torch.where(kept, weights, 0).sum(1) > total * fraction
        if at_most > 0:
            enough |= kept.sum(1) > at_most
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    # with a limit on the number the upper end is the one that keeps to it
    threshold = (high if at_most > 0 else low).exp2().to(weights.dtype)
    threshold = torch.minimum(threshold, weights.amax(1))
    threshold = torch.where(total > 0, threshold, torch.inf)
    return threshold, (weights >= threshold[:, None]).sum(1)


# mypy: disable-error-code="no-untyped-def"
_OCTAVES, _STEPS = 64, 16  # bins: halvings below the largest weight, and steps within each


@njit(cache=True, nogil=True)
def _rows(weights, fraction, limit, thresholds, counts):
    for row in range(len(weights)):
        thresholds[row], counts[row] = row_threshold_and_count(weights[row], fraction, limit)


@njit(cache=True, nogil=True)
def row_threshold(weights, fraction):
    """The threshold of one row."""
    return row_threshold_and_count(weights, fraction, weights.size)[0]


@njit(cache=True, nogil=True)
def row_threshold_and_count(weights, fraction, limit):
    """Threshold and count of one row in linear time: a histogram over octaves, then one bin is sorted."""
    total = 0.0
    top = weights.dtype.type(0)
    for value in weights:
        total += value
        top = max(top, value)
    if not total > 0:
        return weights.dtype.type(np.inf), 0
    sums = np.zeros(_OCTAVES * _STEPS + 1)
    numbers = np.zeros(_OCTAVES * _STEPS + 1, np.int64)
    for value in weights:
        if value > 0:
            b = _bin(value, top)
            sums[b] += value
            numbers[b] += 1
    goal = fraction * total
    running = 0.0
    count = 0
    b = 0
    last = _OCTAVES * _STEPS
    while b < last and running + sums[b] <= goal and count + numbers[b] < limit:
        running += sums[b]
        count += numbers[b]
        b += 1
    inside = np.empty(numbers[b], weights.dtype)
    filled = 0
    for value in weights:
        if value > 0 and _bin(value, top) == b:
            inside[filled] = value
            filled += 1
    inside.sort()
    threshold = weights.dtype.type(np.inf)
    for k in range(filled - 1, -1, -1):
        running += inside[k]
        count += 1
        threshold = inside[k]
        if running > goal or count >= limit:
            break
    return threshold, count


@njit(cache=True, nogil=True)
def _bin(value, top):
    """0 for the largest weights; monotonous in `value`. mantissa in [0.5, 1)."""
    ratio = value / top
    if ratio < 1e-18:
        return _OCTAVES * _STEPS
    mantissa, exponent = math.frexp(ratio)
    step = int((1 - mantissa) * 2 * _STEPS)
    b = (1 - exponent) * _STEPS + min(step, _STEPS - 1)
    return min(max(b, 0), _OCTAVES * _STEPS)
