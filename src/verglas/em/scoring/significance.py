"""Which poses matter: the fewest weights that hold a given fraction of their sum (refinement.md §2.8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numba.extending import overload
from torch import Tensor

_BISECTIONS = 14


@dataclass(frozen=True)
class RowWeights:
    """Rows of log weights as weights in units of each row's largest, and which of them matter."""

    weights: Tensor  # (b, n)
    top: Tensor  # (b,) the largest log weight
    best: Tensor  # (b,) its place
    total: Tensor  # (b,) sum of the weights
    threshold: Tensor  # (b,) the smallest weight that matters
    count: Tensor  # (b,) how many matter, int64

    @classmethod
    def of(cls, scores: Tensor, fraction: float, at_most: int = -1) -> RowWeights:
        """Weights of log weights (b, n), which are overwritten; thresholds as of `mass_thresholds`."""
        if scores.device.type == "cuda" and scores.dtype == torch.float32:
            from verglas.em.scoring import significance_triton

            scores = scores.contiguous()
            return cls(scores, *significance_triton.weigh(scores, fraction, at_most))
        top, best = scores.max(1)
        weights = scores.sub_(top[:, None]).exp_()
        threshold, count = mass_thresholds(weights, fraction, at_most)
        return cls(weights, top, best, weights.sum(1), threshold, count)

    @property
    def p_max(self) -> Tensor:
        """The share of the largest weight, (b,)."""
        return 1 / self.total

    @property
    def log_sum(self) -> Tensor:
        """ln Σ exp(log weight), (b,)."""
        return self.top + self.total.log()

    def truncated(self) -> Tensor:
        """Shares of the weights that matter, 0 for the others, (b, n)."""
        kept = torch.where(self.weights >= self.threshold[:, None], self.weights, 0)
        return kept.div_(self.total[:, None])


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


def thresholds_by_bisection(weights: Tensor, fraction: float, at_most: int = -1) -> tuple[Tensor, Tensor]:
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


# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
_OCTAVES, _STEP_BITS = 64, 4  # bins: halvings below the largest weight, and the steps within each
_BINS = _OCTAVES << _STEP_BITS


def _bits(weights):
    """The weights as integers of their size: floats that are not negative keep their order."""
    return weights.view(np.int32 if weights.itemsize == 4 else np.int64)


@overload(_bits)
def _compiled_bits(weights):
    kind = np.int32 if weights.dtype.bitwidth == 32 else np.int64
    return lambda weights: weights.view(kind)


@njit(cache=True, nogil=True)
def _rows(weights, fraction, limit, thresholds, counts):
    for row in range(len(weights)):
        thresholds[row], counts[row] = row_threshold_and_count(weights[row], fraction, limit)


@njit(cache=True, nogil=True)
def row_threshold(weights, fraction):
    """The threshold of one row."""
    return row_threshold_and_count(weights, fraction, weights.size)[0]


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _total(weights):
    """Their sum in double precision; in any order, so that it is made several at a time."""
    total = 0.0
    for value in weights:
        total += value
    return total


@njit(cache=True, nogil=True)
def _that_can_matter(weights, fraction):
    """Those of which one can be the threshold, in their order.

    All that are below max·(1 - fraction)/n together hold less than the rest that may be left out.
    """
    bits = _bits(weights)
    highest = bits[0]
    for value in bits:
        highest = max(highest, value)
    if not highest > 0:
        return weights[:0]
    whole = np.empty(1, bits.dtype)
    whole[0] = highest
    least = weights.dtype.type(whole.view(weights.dtype)[0] * (1 - fraction) / weights.size)
    number = 0
    for value in weights:
        number += value >= least
    if 2 * number > weights.size:
        return weights
    kept = np.empty(number, weights.dtype)
    filled = 0
    for value in weights:
        if value >= least:
            kept[filled] = value
            filled += 1
    return kept


@njit(cache=True, nogil=True)
def row_threshold_and_count(weights, fraction, limit):
    """Threshold and count of one row in linear time: a histogram over octaves, then one bin is sorted.

    The bin of a weight is taken from the leading bits of the number, counted down from the largest.
    """
    goal = fraction * _total(weights)
    weights = _that_can_matter(weights, fraction)
    if not weights.size:
        return weights.dtype.type(np.inf), 0
    bits = _bits(weights)
    shift = (23 if weights.itemsize == 4 else 52) - _STEP_BITS
    highest = bits.max() >> shift
    sums = np.zeros(_BINS + 1)
    numbers = np.zeros(_BINS + 1, np.int64)
    for k in range(weights.size):
        b = min(highest - (bits[k] >> shift), _BINS)
        sums[b] += weights[k]
        numbers[b] += weights[k] > 0
    running = 0.0
    count = 0
    b = 0
    while b < _BINS and running + sums[b] <= goal and count + numbers[b] < limit:
        running += sums[b]
        count += numbers[b]
        b += 1
    inside = np.empty(numbers[b], weights.dtype)
    filled = 0
    for k in range(weights.size):
        if weights[k] > 0 and min(highest - (bits[k] >> shift), _BINS) == b:
            inside[filled] = weights[k]
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
