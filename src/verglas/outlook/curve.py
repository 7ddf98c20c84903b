"""Where a curve of half maps crosses a threshold, between its shells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
THRESHOLD = 0.143


def crossing_angst(
    frequency: Floats,  # (s,) 1/Å, rising
    fsc: Floats,  # (s,)
    threshold: float = THRESHOLD,
) -> float:
    """Resolution in Å where the curve first falls below the threshold, by a line between two shells.

    The last shell's where it never does; infinite where it is below from the start.
    """
    inside = frequency > 0
    frequency, fsc = frequency[inside], fsc[inside]
    below = np.flatnonzero(~(fsc >= threshold))
    if not len(frequency) or (len(below) and below[0] == 0):
        return float("inf")
    if not len(below):
        return float(1 / frequency[-1])
    at = int(below[0])
    above, under = fsc[at - 1], fsc[at]
    share = (above - threshold) / (above - under) if np.isfinite(under) else 0.0
    return float(1 / (frequency[at - 1] + share * (frequency[at] - frequency[at - 1])))
