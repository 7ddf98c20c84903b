"""Whole-frame alignment: the most probable track under the movie's own signal and a smooth prior.

With the unknown specimen integrated out, the log-likelihood of all shifts together is the weighted power
of the aligned sum (see `signal`). It is maximised jointly with the prior of `track_prior` by Fisher
scoring; spectra and prior are re-estimated in every round. Unlike frame-against-sum correlation, no frame
is favoured as the reference and every frequency counts by what it knows. Every eighth row of the transform
is kept out until the end and judges whether the track is better than none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verglas.motion.band import Rows
from verglas.motion.devices.interface import Stack
from verglas.motion.tracks.prior import (
    TRACK_PRIORS,
    Posterior,
    TrackPrior,
    average_posterior,
    track_covariances,
)
from verglas.motion.tracks.signal import SignalModel, estimate_signal

Array = np.ndarray[Any, Any]
CONVERGED_PX = 0.02
SIGNIFICANT = 4.0  # standard deviations of the judging power


@dataclass(frozen=True)
class Alignment:
    """Shifts to apply to each frame, and how well they are known."""

    shifts_yx: Array  # (M, 2) pixels, relative to the first frame
    covariance: Array  # (M, M) per axis, pixels^2
    prior: TrackPrior
    signal: SignalModel
    has_signal: bool  # rows that took no part in the fit show a signal
    better_than_still: bool  # ... and more of it than without shifts, or as much

    @property
    def expected_rms_px(self) -> float:
        """Expected root mean square error of the track about its mean, both axes together."""
        return expected_rms(self.covariance)


def expected_rms(covariance: Array) -> float:
    """Root mean square deviation, both axes, that an (M, M) covariance lets expect about the mean."""
    centred = covariance - covariance.mean(axis=0)
    return float(np.sqrt(2 * max(np.trace(centred), 0.0) / len(centred)))


def align(
    stack: Stack[Any],  # damped by `amplitudes` already
    all_power: Array,  # (n_rings,) of the undamped frames, summed over them
    amplitudes: Array,  # (M, n_rings): what damage leaves of the signal in each frame
    start_shifts_yx: Array,  # (M, 2)
    times: Array,  # (M,) frames
    max_iterations: int = 5,
) -> Alignment:
    """Refine `start_shifts_yx`, which must be right within about a pixel."""
    work = _Scoring(stack, all_power, amplitudes, times)
    shifts = start_shifts_yx - start_shifts_yx[0]
    for _ in range(max(1, max_iterations - 1)):
        found, signal = work.step(shifts, "fit")
        change, shifts = found.mean - shifts, found.mean
        if np.sqrt((change**2).sum(axis=1).mean()) < CONVERGED_PX:
            break
    judged = work.judge(shifts, signal)
    found, signal = work.step(shifts, "all")
    return Alignment(found.mean, found.covariance, TRACK_PRIORS[work.priors[found.best]], signal, *judged)


class _Scoring:
    """Steps of Fisher scoring over one stack; priors without weight are dropped on the way."""

    def __init__(self, stack: Stack[Any], all_power: Array, amplitudes: Array, times: Array) -> None:
        self.stack, self.all_power, self.amplitudes = stack, all_power, amplitudes
        self.priors = np.arange(len(TRACK_PRIORS))
        self.covariances = track_covariances(times)

    def step(self, shifts: Array, rows: Rows) -> tuple[Posterior, SignalModel]:
        """The posterior with the likelihood expanded about `shifts`."""
        band = self.stack.band
        columns = band.columns_within(band.limit, rows)
        total = self.stack.shifted_sum(shifts, columns)
        signal = estimate_signal(total.mean_power(rows), self.all_power, self.amplitudes, band.counts(rows))
        total.weight(signal.weights[None])
        information = signal.information(band, rows=rows)
        pull = self.stack.shift_gradients(shifts, total, columns) + information @ shifts
        found = average_posterior(information, pull, self.covariances)
        self.priors, self.covariances = self.priors[found.kept], self.covariances[found.kept]
        return found, signal

    def judge(self, shifts: Array, signal: SignalModel) -> tuple[bool, bool]:
        """Whether the rows kept out of the fit show a signal, and at least as much as without shifts."""
        aligned, deviation = self._judging_power(shifts, signal)
        still, _ = self._judging_power(np.zeros_like(shifts), signal)
        return aligned > SIGNIFICANT * deviation, aligned >= still

    def _judging_power(self, shifts: Array, signal: SignalModel) -> tuple[float, float]:
        """Weighted power of the sum above that of noise, and the deviation noise alone would give it."""
        band = self.stack.band
        total = self.stack.shifted_sum(shifts, band.columns_within(band.limit, "judge"))
        counts = band.counts("judge")
        noise = (self.amplitudes**2).sum(axis=0) * signal.noise
        excess = total.mean_power("judge") - noise
        deviation = np.sqrt(float((counts * (signal.weights * noise) ** 2).sum()))
        return float((counts * signal.weights * excess).sum()), deviation
