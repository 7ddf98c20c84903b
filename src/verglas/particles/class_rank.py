"""A score for class averages from what can be explained: resolution, contrast, centring, share.

No training and no weights: each part lies in 0..1 and is reported beside the score, so that a person
can see why a class was kept or dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORST_RESOLUTION_ANGST = 40.0


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Score of one class and its parts, all in 0..1."""

    resolution: float  # how far its rings reach, relative to the best class
    contrast: float  # signal inside the particle against the rim of the mask
    centring: float  # 1 when the density lies in the middle, 0 at the mask's edge
    share: float  # particles relative to an even share, capped at 1

    @property
    def total(self) -> float:
        """Geometric mean, with resolution counted twice: one bad part is enough to fail."""
        parts = np.array([self.resolution, self.resolution, self.contrast, self.centring, self.share])
        return float(np.exp(np.log(np.maximum(parts, 1e-6)).mean()))


def rank_classes(
    averages: NDArray[np.floating],  # (classes, n, n)
    resolutions_angst: NDArray[np.floating],  # (classes,)
    shares: NDArray[np.floating],  # (classes,), sum 1
    mask_radius_pixels: float,
) -> list[ClassScore]:
    """Scores of all classes of one classification."""
    reach = 1 / np.clip(resolutions_angst, 1e-3, WORST_RESOLUTION_ANGST) - 1 / WORST_RESOLUTION_ANGST
    reach = np.where(shares > 0, reach, 0)
    best = max(float(reach.max()), 1e-9)
    even = np.minimum(1, shares * len(shares))
    return [
        ClassScore(
            float(r / best), _contrast(a, mask_radius_pixels), _centring(a, mask_radius_pixels), float(s)
        )
        for a, r, s in zip(averages, reach, even)
    ]


def _radius(n: int) -> NDArray[np.float64]:
    y, x = np.indices((n, n)) - n // 2
    return np.hypot(y, x)


def _contrast(average: NDArray[np.floating], mask_radius: float) -> float:
    """Variance within 70 % of the mask against that of the rim: 0 when equal, 1 when far above."""
    radius = _radius(average.shape[0])
    inner = average[radius < 0.7 * mask_radius]
    rim = average[(radius >= 0.8 * mask_radius) & (radius <= mask_radius)]
    if not len(inner) or not len(rim) or inner.std() == 0:
        return 0.0
    ratio = rim.std() / inner.std()
    return float(np.clip(1.25 * (1 - ratio), 0, 1))


def _centring(average: NDArray[np.floating], mask_radius: float) -> float:
    """Distance of the centre of the positive density from the box centre, against the mask."""
    n = average.shape[0]
    density = np.maximum(average - np.median(average), 0) * (_radius(n) <= mask_radius)
    if density.sum() <= 0:
        return 0.0
    y, x = np.indices((n, n)) - n // 2
    offset = np.hypot((density * y).sum(), (density * x).sum()) / density.sum()
    return float(np.clip(1 - 2 * offset / mask_radius, 0, 1))
