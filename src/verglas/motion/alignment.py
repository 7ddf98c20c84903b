"""Whole-frame alignment: the most probable track under the movie's own signal and a smooth prior.

With the unknown specimen integrated out, the log-likelihood of all shifts together is the weighted power
of the aligned sum (see `signal`). It is maximised jointly with the prior of `track_prior` by Fisher
scoring; spectra and prior are re-estimated in every round. Unlike frame-against-sum correlation, no frame
is favoured as the reference and every frequency counts by what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verglas.motion.signal import SignalModel, estimate_signal
from verglas.motion.stack import SpectrumStack
from verglas.motion.track_prior import (
    TRACK_PRIORS,
    TrackPrior,
    average_posterior,
    track_covariances,
)

Array = np.ndarray[Any, Any]
CONVERGED_PX = 0.02


@dataclass(frozen=True)
class Alignment:
    """Shifts to apply to each frame, and how well they are known."""

    shifts_yx: Array  # (M, 2) pixels, relative to the first frame
    covariance: Array  # (M, M) per axis, pixels^2
    prior: TrackPrior
    signal: SignalModel
    converged: bool

    @property
    def expected_rms_px(self) -> float:
        """Expected root mean square error of the track about its mean, both axes together."""
        return expected_rms(self.covariance)


def expected_rms(covariance: Array) -> float:
    """Root mean square deviation, both axes, that an (M, M) covariance lets expect about the mean."""
    centred = covariance - covariance.mean(axis=0)
    return float(np.sqrt(2 * max(np.trace(centred), 0.0) / len(centred)))


def align(
    stack: SpectrumStack,  # damped by `amplitudes` already
    all_power: Array,  # (n_rings,) of the undamped frames, summed over them
    amplitudes: Array,  # (M, n_rings): what damage leaves of the signal in each frame
    start_shifts_yx: Array,  # (M, 2)
    times: Array,  # (M,) frames
    max_iterations: int = 5,
) -> Alignment:
    """Refine `start_shifts_yx`, which must be right within about a pixel."""
    if max_iterations < 1:
        raise ValueError(f"alignment needs at least one round, got {max_iterations}")
    band, priors = stack.band, track_covariances(times)
    shifts = start_shifts_yx - start_shifts_yx[0]
    for _ in range(max_iterations):
        total = stack.shifted_sum(shifts)
        signal = estimate_signal(total.mean_power(), all_power, amplitudes, band.ring_counts)
        total.weight(signal.weights[None])
        information = signal.information(band)
        pull = stack.shift_gradients(shifts, total) + information @ shifts
        found = average_posterior(information, pull, priors)
        step, shifts = found.mean - shifts, found.mean
        converged = bool(np.sqrt((step**2).sum(axis=1).mean()) < CONVERGED_PX)
        if converged:
            break
    return Alignment(shifts, found.covariance, TRACK_PRIORS[found.best], signal, converged)
