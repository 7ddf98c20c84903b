"""What is believed of a track before the data: steps of a walk on a smoothly changing velocity.

The drift of a frame is the sum of a random walk (stage and charging jumps; variance `walk` per frame)
and an integrated random walk (a velocity that changes; variance `bend` per frame^3). The velocity may
change on a clock that slows down as the specimen settles: u = tau log(1 + t / tau). All of it is chosen
by the evidence of the movie itself (empirical Bayes), so nothing is smoothed that the data resolve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FREE_VELOCITY = 100.0  # prior variance of the mean velocity, (pixels per frame)^2
WALKS = np.concatenate([[0.0], np.logspace(-3.5, 0.5, 9)])
BENDS = np.concatenate([[0.0], np.logspace(-6, 0.5, 9)])
CLOCKS = (np.inf, 6.0, 2.0)  # frames


@dataclass(frozen=True, slots=True)
class TrackPrior:
    """Covariance of a track relative to its first frame, the same for y and x."""

    walk: float  # pixel^2 per frame
    bend: float  # pixel^2 per frame^3
    clock: float  # frames after which the specimen settles; infinite: it never does

    def covariance(self, times: Array) -> Array:  # (M,) frames -> (M, M)
        """Zero row and column for the first time: the track is relative to it."""
        t = times - times[0]
        u = t if np.isinf(self.clock) else self.clock * np.log1p(t / self.clock)
        low, high = np.minimum.outer(u, u), np.maximum.outer(u, u)
        integrated = low**2 * (3 * high - low) / 6
        walk = np.minimum.outer(t, t)
        return FREE_VELOCITY * np.outer(u, u) + self.walk * walk + self.bend * integrated


@dataclass(frozen=True, slots=True)
class TrackPosterior:
    """Most probable track given information about it, and how sure that is."""

    track: Array  # (M, 2)
    covariance: Array  # (M, M), per axis
    prior: TrackPrior
    log_evidence: float


def posterior(information: Array, pull: Array, times: Array, prior: TrackPrior) -> TrackPosterior:
    """Gaussian posterior for information matrix W (M, M) and pull W x_hat (M, 2) of the data."""
    covariance = prior.covariance(times)
    system = np.eye(len(times)) + covariance @ information
    shrunk = np.linalg.solve(system, covariance)
    track = shrunk @ pull
    _, log_determinant = np.linalg.slogdet(system)
    log_evidence = 0.5 * float(np.sum(pull * track)) - log_determinant  # two axes
    return TrackPosterior(track, shrunk, prior, log_evidence)


def best_posterior(information: Array, pull: Array, times: Array) -> TrackPosterior:
    """The posterior under the prior with the greatest evidence."""
    candidates = (
        posterior(information, pull, times, TrackPrior(walk, bend, clock))
        for clock in CLOCKS
        for walk in WALKS
        for bend in BENDS
    )
    return max(candidates, key=lambda found: found.log_evidence)
