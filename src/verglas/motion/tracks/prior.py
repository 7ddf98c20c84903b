"""What is believed of a track before the data: steps of a walk on a smoothly changing velocity.

The drift of a frame is the sum of a random walk (stage and charging jumps; variance `walk` per frame)
and an integrated random walk (a velocity that changes; variance `bend` per frame^3). The velocity may
change on a clock that slows down as the specimen settles: u = tau log(1 + t / tau). How much of each is
left to the movie itself: the track is averaged over a grid of priors, each weighted by its evidence, so
that nothing is smoothed which the data resolve and no single prior has to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FREE_VELOCITY = 100.0  # prior variance of the mean velocity, (pixels per frame)^2
WALKS = (0.0, *np.logspace(-3.5, 0.5, 9).tolist())
BENDS = (0.0, *np.logspace(-6, 0.5, 9).tolist())
CLOCKS = (np.inf, 6.0, 2.0)  # frames
NEGLIGIBLE = 12.0  # log-evidence below the best at which a prior no longer counts


@dataclass(frozen=True, slots=True)
class TrackPrior:
    """Covariance of a track relative to its first frame, the same for y and x."""

    walk: float = 0.03  # pixel^2 per frame
    bend: float = 0.03  # pixel^2 per frame^3
    clock: float = np.inf  # frames after which the specimen settles; infinite: it never does

    def covariance(self, times: Array) -> Array:  # (M,) frames -> (M, M)
        """Zero row and column for the first time: the track is relative to it."""
        t = times - times[0]
        u = t if np.isinf(self.clock) else self.clock * np.log1p(t / self.clock)
        low, high = np.minimum.outer(u, u), np.maximum.outer(u, u)
        integrated = low**2 * (3 * high - low) / 6
        walk = np.minimum.outer(t, t)
        return FREE_VELOCITY * np.outer(u, u) + self.walk * walk + self.bend * integrated


TRACK_PRIORS = tuple(TrackPrior(walk, bend, clock) for clock in CLOCKS for walk in WALKS for bend in BENDS)


@dataclass(frozen=True, slots=True)
class Posterior:
    """Parameters given information about them and a family of priors: mean, spread, the best prior."""

    mean: Array  # (P, 2)
    covariance: Array  # (P, P), per axis
    kept: Array  # indices of the priors that carry weight
    best: int  # which of those has the greatest evidence


def average_posterior(
    information: Array,  # (P, P), of the data, per axis
    pull: Array,  # (P, 2): information @ estimate
    prior_covariances: Array,  # (N, P, P)
) -> Posterior:
    """Gaussian posteriors under every prior, averaged by their evidence (empirical Bayes)."""
    systems = np.eye(len(pull)) + prior_covariances @ information
    covariances = np.linalg.solve(systems, prior_covariances)
    means = covariances @ pull
    _, log_determinants = np.linalg.slogdet(systems)
    evidence = 0.5 * np.einsum("pa,npa->n", pull, means) - log_determinants  # two axes
    best = int(evidence.argmax())
    kept = np.flatnonzero(evidence > evidence[best] - NEGLIGIBLE)
    weights = np.exp(evidence[kept] - evidence[best])
    weights /= weights.sum()
    means, covariances = means[kept], covariances[kept]
    mean = np.einsum("n,npa->pa", weights, means)
    spread = means - mean
    covariance = np.einsum("n,npq->pq", weights, covariances)
    covariance += 0.5 * np.einsum("n,npa,nqa->pq", weights, spread, spread)
    return Posterior(mean, covariance, kept, int(np.searchsorted(kept, best)))


def track_covariances(times: Array) -> Array:  # (N, M, M)
    """Covariances of all priors in `TRACK_PRIORS`."""
    return np.stack([prior.covariance(times) for prior in TRACK_PRIORS])
