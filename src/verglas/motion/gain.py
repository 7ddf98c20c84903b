"""Gain references: how well one fits the movies, and one made from the movies themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

Array = np.ndarray[Any, Any]
BACKGROUND_PX = 9  # specimen and illumination vary more slowly than this, pixel gains do not
CLEAR_Z = 8.0  # standard errors of a correlation that is no accident
EXTREME_SIGMA = 5.0


@dataclass(frozen=True, slots=True)
class GainFit:
    """Correlation of what a gain predicts for an evenly lit sensor with what the movies show."""

    correlation: float  # 1: every pixel as predicted; negative: the gain divides instead
    z: float  # in standard errors

    @property
    def is_clear(self) -> bool:
        return self.z > CLEAR_Z


def gain_fit(
    total: Array,  # (y, x) sum of raw, unaligned frames
    factors: Array,  # (y, x) gain to multiply with; 0 marks bad pixels
) -> GainFit:
    """How well `factors` explain the pixel pattern of raw frames.

    A pixel with factor g counts 1 / g of what its neighbours do. Both images are compared after dividing by
    their local mean; a pixel that is far out in either does not take part.
    """
    good = (factors > 0) & (total > 0)
    shown = _pixel_pattern(total, good)
    foretold = _pixel_pattern(np.where(good, 1 / np.where(good, factors, 1), 0), good)
    usable = good & (np.abs(shown) < EXTREME_SIGMA * _spread(shown[good]))
    usable &= np.abs(foretold) < EXTREME_SIGMA * _spread(foretold[good])
    a, b = shown[usable], foretold[usable]
    if a.size < 100 or a.std() == 0 or b.std() == 0:
        return GainFit(0.0, 0.0)
    correlation = float(np.corrcoef(a, b)[0, 1])
    return GainFit(correlation, correlation * float(np.sqrt(a.size)))


def _pixel_pattern(image: Array, good: Array) -> Array:
    """Deviation of every good pixel from the mean of those around it, relative to that mean."""
    weight = uniform_filter(good.astype(np.float32), BACKGROUND_PX)
    local = uniform_filter(np.where(good, image, 0).astype(np.float32), BACKGROUND_PX)
    local = local / np.maximum(weight, 1e-6)
    return np.where(good & (local > 0), image / np.where(local > 0, local, 1) - 1, 0)


def _spread(values: Array) -> float:
    """Robust standard deviation, at least a trifle."""
    low, high = np.percentile(values, [15.87, 84.13]) if values.size else (0.0, 0.0)
    return max(float(high - low) / 2, 1e-12)


@dataclass
class GainEstimate:
    """Adds up movies until the specimen averages out; what remains is the sensor."""

    shape_yx: tuple[int, int]
    n_movies: int = field(default=0, init=False)
    n_frames: int = field(default=0, init=False)
    mean_counts: float = field(default=0.0, init=False)  # of a pixel in all movies together

    def __post_init__(self) -> None:
        self._total = np.zeros(self.shape_yx, np.float64)

    def add(self, movie_sum: Array, n_frames: int) -> None:
        """Add the sum of a movie's raw frames; every movie weighs by its counts.

        Gold, ice and bright holes would leave their shadow: where the movie, smoothed, is far from
        typical, its typical value stands in.
        """
        if movie_sum.shape != self.shape_yx:
            raise ValueError(
                f"frames of {movie_sum.shape[1]} x {movie_sum.shape[0]} pixels,"
                f" the first movie had {self.shape_yx[1]} x {self.shape_yx[0]}"
            )
        values = movie_sum.astype(np.float64)
        smooth = uniform_filter(values, 2 * BACKGROUND_PX + 1)
        middle = float(np.median(smooth))
        odd = np.abs(smooth - middle) > EXTREME_SIGMA * _spread(smooth.ravel()[::7])
        if middle > 0 and odd.any():
            values[odd] *= middle / np.maximum(smooth[odd], 1e-6)
        self._total += values
        self.n_movies += 1
        self.n_frames += n_frames
        self.mean_counts += float(movie_sum.mean(dtype=np.float64))

    @property
    def noise(self) -> float:
        """Relative error that counting leaves in every factor."""
        return float(1 / np.sqrt(self.mean_counts)) if self.mean_counts > 0 else float("inf")

    def factors(self) -> Array:  # (y, x) float32, mean / pixel; 0 for dead pixels
        """The gain to multiply with."""
        mean = float(self._total.mean())
        dead = self._total <= 0.05 * mean
        factors: Array = np.where(dead, 0, mean / np.where(dead, 1, self._total)).astype(np.float32)
        return factors
