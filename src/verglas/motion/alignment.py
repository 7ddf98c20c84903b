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
from verglas.motion.track_prior import TrackPrior, best_posterior

Array = np.ndarray[Any, Any]
CONVERGED_PX = 0.01


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
        centred = self.covariance - self.covariance.mean(axis=0)
        return float(np.sqrt(2 * max(np.trace(centred), 0.0) / len(centred)))


def align(
    stack: SpectrumStack,
    start_shifts_yx: Array,  # (M, 2)
    amplitudes: Array,  # (M, n_rings): what damage leaves of the signal in each frame
    times: Array,  # (M,) frames
    max_iterations: int = 5,
) -> Alignment:
    """Refine `start_shifts_yx`, which must be right within about a pixel."""
    band = stack.band
    if max_iterations < 1:
        raise ValueError(f"alignment needs at least one round, got {max_iterations}")
    frame_powers = stack.ring_powers()
    shifts = start_shifts_yx - start_shifts_yx[0]
    scratch = SpectrumStack.empty(band, len(stack))
    for _ in range(max_iterations):
        signal = signal_at(stack, shifts, amplitudes, frame_powers, scratch)
        weighted = stack.weighted(signal.weights, scratch)
        gradients = weighted.shift_gradients(shifts, weighted.shifted_sum(shifts))
        information = signal.information(band.ring_counts, band.ring_frequencies)
        found = best_posterior(information, gradients + information @ shifts, times)
        step = found.track - shifts
        shifts = found.track
        converged = bool(np.sqrt((step**2).sum(axis=1).mean()) < CONVERGED_PX)
        if converged:
            break
    return Alignment(shifts, found.covariance, found.prior, signal, converged)


def signal_at(
    stack: SpectrumStack,
    shifts: Array,
    amplitudes: Array,
    frame_powers: Array,
    scratch: SpectrumStack,
) -> SignalModel:
    """Signal and noise spectra as the stack shows them under these shifts."""
    damped = stack.weighted(amplitudes, scratch)
    total = SpectrumStack(stack.band, *(part[None] for part in damped.shifted_sum(shifts)))
    powers = total.ring_powers()[0]
    return estimate_signal(frame_powers, powers, amplitudes, stack.band.ring_counts)
