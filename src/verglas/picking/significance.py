"""When is a peak more than noise: robust scale, and a threshold from the noise's own statistics."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from verglas.picking.picks import Array

FALSE_PICKS = 1.0  # peaks of pure noise tolerated in a micrograph however few particles it has
FALSE_SHARE = 0.05  # share of the picks that noise may make up where there are many
_LOWEST, _HIGHEST = 1.5, 12.0  # the peak count of noise is known above the first


def noise_scale(score: Tensor, hidden: Tensor | None = None) -> tuple[float, float]:
    """Median of a score map, and its standard deviation as the lower half has it.

    Particles only add to the upper half, so the distance from the median down to the 15.9 % quantile is
    one sigma of the background whatever the number of particles. `hidden` pixels (bool) do not count: a
    flat area has no noise, and would make the scale of the rest too small.
    """
    seen = score if hidden is None or bool(hidden.all()) else score[~hidden]
    low, middle = np.percentile(seen.reshape(-1).cpu().numpy(), [15.8655, 50.0])
    return float(middle), float(middle - low)


def noise_peaks(
    filtered_noise_power: Tensor,  # (rows, columns//2+1): |filter|^2 times the noise power
    frequency: Tensor,  # the same shape, 1/Å
    area_angst2: float,
) -> Callable[[float], float]:
    """How many peaks above z sigmas noise alone has in the micrograph, as a function of z.

    For a Gaussian field that is area * lambda / (2 pi)^(3/2) * z * exp(-z^2/2) at high z, lambda being
    the variance of its derivative along an axis (Adler, The Geometry of Random Fields).
    """
    total = float(filtered_noise_power.sum())
    second_moment = float((filtered_noise_power * frequency**2).sum()) / max(total, 1e-30)
    cells = area_angst2 * 0.5 * (2 * math.pi) ** 2 * second_moment / (2 * math.pi) ** 1.5
    return lambda z: cells * z * math.exp(-0.5 * z * z)


def automatic_threshold(peak_heights: Array, expected: Callable[[float], float]) -> float:
    """The lowest height where noise explains at most one peak, or a twentieth of all peaks above it.

    That is the rule of Benjamini and Hochberg for a false discovery rate of 5 %, with one false pick
    allowed always so that the threshold of an empty micrograph is finite. `peak_heights` in sigmas,
    falling order.
    """
    low, high = _LOWEST, _HIGHEST  # the strict rule first: at most one peak of noise
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if expected(middle) > FALSE_PICKS else (low, middle)
    strict = high
    count = np.arange(1, len(peak_heights) + 1)
    allowed = np.array(
        [expected(max(_LOWEST, float(z))) <= FALSE_SHARE * n for z, n in zip(peak_heights, count)], dtype=bool
    )
    passing = peak_heights[allowed & (peak_heights > _LOWEST)]
    return min(strict, float(passing.min())) if len(passing) else strict
