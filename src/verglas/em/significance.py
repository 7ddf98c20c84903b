"""Which poses matter: the fewest weights that hold a given fraction of their sum (refinement.md §2.8)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from torch import Tensor

_BISECTIONS = 40


def mass_thresholds(weights: Tensor, fraction: float, at_most: int = -1) -> tuple[Tensor, Tensor]:
    """Per row, the smallest weight among those that add up to more than `fraction` of the row's sum.

    `weights` (b, n) >= 0. Returns thresholds (b,) and how many weights are counted (b,), int64. With
    `at_most` > 0 no more than that many are counted. A row of zeros gives threshold inf and count 0.
    """
    if weights.device.type == "cpu":
        array = weights.contiguous().numpy()
        limit = at_most if at_most > 0 else array.shape[1]
        if weights.dtype == torch.float32:
            found, counts = _thresholds_single(array, fraction, limit)
        else:
            found, counts = _thresholds_sorted(array, fraction, limit)
        return torch.from_numpy(found).to(weights.dtype), torch.from_numpy(counts)
    return _thresholds_by_bisection(weights, fraction, at_most)


def _thresholds_by_bisection(
    weights: Tensor, fraction: float, at_most: int
) -> tuple[Tensor, Tensor]:
    """The same on a GPU: bisect the logarithm of the threshold, so that only reductions are needed."""
    total = weights.sum(1, dtype=torch.float64)
    high = weights.max(1).values.clamp_min(1e-30).log2().double()
    low = high - 60
    goal = total * fraction
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        kept = weights >= middle.exp2().to(weights.dtype)[:, None]
        enough = torch.where(kept, weights, 0).sum(1, dtype=torch.float64) > goal
        if at_most > 0:
            enough |= kept.sum(1) > at_most
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    threshold = low.exp2().to(weights.dtype)
    threshold = torch.where(total > 0, threshold, torch.inf)
    return threshold, (weights >= threshold[:, None]).sum(1)


def _thresholds_sorted(
    weights: npt.NDArray[np.floating], fraction: float, limit: int
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int64]]:
    ordered = -np.sort(-weights, axis=1)
    running = np.cumsum(ordered, axis=1, dtype=np.float64)
    over = running > fraction * running[:, -1:]
    counts = np.where(over.any(1), over.argmax(1) + 1, ordered.shape[1])
    counts = np.minimum(counts, limit)
    thresholds = ordered[np.arange(len(ordered)), counts - 1]
    empty = running[:, -1] <= 0
    return np.where(empty, np.inf, thresholds), np.where(empty, 0, counts)


_BIN_BITS = 18  # of a float32's bits dropped: 8 exponent and 5 mantissa bits number the bins


@njit(cache=True, nogil=True)
def _thresholds_single(  # type: ignore[no-untyped-def]
    weights, fraction, limit
):
    """As `_thresholds_sorted` in linear time: histogram over the floats' bits, then one bin is sorted."""
    n_rows, n = weights.shape
    thresholds = np.full(n_rows, np.inf, np.float32)
    counts = np.zeros(n_rows, np.int64)
    bits = weights.view(np.int32)
    n_bins = (0x7F800000 >> _BIN_BITS) + 1
    sums = np.zeros(n_bins, np.float64)
    numbers = np.zeros(n_bins, np.int64)
    for row in range(n_rows):
        sums[:] = 0
        numbers[:] = 0
        total = 0.0
        top = 0
        for i in range(n):
            value = weights[row, i]
            if value > 0:
                b = bits[row, i] >> _BIN_BITS
                sums[b] += value
                numbers[b] += 1
                total += value
                top = max(top, b)
        if total <= 0:
            continue
        goal = fraction * total
        running = 0.0
        count = 0
        b = top
        while b > 0 and running + sums[b] <= goal and count + numbers[b] < limit:
            running += sums[b]
            count += numbers[b]
            b -= 1
        inside = np.empty(numbers[b], np.float32)
        filled = 0
        for i in range(n):
            if weights[row, i] > 0 and bits[row, i] >> _BIN_BITS == b:
                inside[filled] = weights[row, i]
                filled += 1
        inside.sort()
        for k in range(filled - 1, -1, -1):
            running += inside[k]
            count += 1
            thresholds[row] = inside[k]
            if running > goal or count >= limit:
                break
        counts[row] = count
    return thresholds, counts
