"""What every frame is worth at every frequency: a scale and a B-factor each (refinement.md §10.12.3).

The correlation of frame f is modelled as S(k) a_f exp(-k² / (2σ_f²)); S and the frames' parameters are
found in turn. Only differences between frames mean anything: S takes what all have in common. Shells count by
their numbers of points: so much less are they in error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDS = 5
STEPS, ZOOMS = 20, 4


@dataclass(frozen=True)
class FrameWeights:
    """One row per frame, for boxes of this extent."""

    amplitude: Array  # (F,) a_f
    b_factor_a2: Array  # (F,) >= 0: a frame is damped by exp(-B k²/4), k in 1/Å

    def of_band(self, frequencies: NDArray[np.floating]) -> Array:
        """Weights (F, ...) at frequencies in 1/Å; they add up to 1 at every frequency."""
        squared = np.asarray(frequencies, np.float64)[None] ** 2 / 4
        ones = [1] * (squared.ndim - 1)
        worth = self.amplitude.reshape(-1, *ones) * np.exp(-self.b_factor_a2.reshape(-1, *ones) * squared)
        # 0 / 0 where all is damped away: the least damped frame counts
        worth = np.maximum(worth, 1e-30)
        found: Array = worth / worth.sum(axis=0)
        return found

    def rows(self, start: int, stop: int) -> FrameWeights:
        """Of some frames; those beyond the last known one are worth what it is."""
        wanted = np.clip(np.arange(start, stop), 0, len(self.amplitude) - 1)
        return FrameWeights(self.amplitude[wanted], self.b_factor_a2[wanted])


def fit_frame_weights(
    correlation: Array,  # (F, shells)
    extent_angst: float,
    first_shell: int,
    last_shell: int,
) -> FrameWeights:
    """Fit a_f and B_f to shells first..last.

    Raises ValueError where these hold no signal.
    """
    shells = np.arange(first_shell, last_shell + 1)
    points = shells.astype(np.float64)
    if len(shells) < 3:
        raise ValueError(f"shells {first_shell} to {last_shell} are too few to fit B-factors")
    observed = correlation[:, shells]
    squared = (shells / extent_angst) ** 2 / 4
    best = int(np.argmax(observed.sum(axis=1)))
    common = np.maximum(observed[best], 0)
    if not common.any():
        raise ValueError(
            "no frame correlates with the reference: the particles and their movies do not agree"
        )
    amplitude, b_factor = np.ones(len(observed)), np.zeros(len(observed))
    for _ in range(ROUNDS):
        for frame, row in enumerate(observed):
            amplitude[frame], b_factor[frame] = _fit_frame(row, common, squared, points)
        shape = amplitude[:, None] * np.exp(-b_factor[:, None] * squared)
        power = (shape**2).sum(axis=0)
        common = np.maximum((shape * observed).sum(axis=0) / np.maximum(power, 1e-30), 0)
    least = float(b_factor.min())
    return FrameWeights(amplitude, b_factor - least)


def _fit_frame(row: Array, common: Array, squared: Array, points: Array) -> tuple[float, float]:
    """Scale and B-factor that bring the common curve to one frame's, by scanning B ever more finely."""
    # from the curve's own course to nothing left at the last shell, in both directions
    low, high = -4.0 / squared[-1], 8.0 / squared[-1]
    b_factor, amplitude = 0.0, 0.0
    for _ in range(ZOOMS + 1):
        steps = np.linspace(low, high, STEPS + 1)
        shapes = common * np.exp(-steps[:, None] * squared)
        power = (points * shapes**2).sum(axis=1)
        scale = np.maximum((points * shapes * row).sum(axis=1) / np.maximum(power, 1e-30), 0)
        costs = (points * (row - scale[:, None] * shapes) ** 2).sum(axis=1)
        at = int(np.argmin(costs))
        b_factor, amplitude = float(steps[at]), float(scale[at])
        width = (high - low) / 10
        low, high = b_factor - width, b_factor + width
    return amplitude, b_factor
