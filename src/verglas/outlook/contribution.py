"""What groups of movies (grid squares, hours) add to a map, and which of them add nothing.

A particle's signal is its Pmax above that of images without any: in simulations Pmax above that level is
nearly proportional to the signal's power, while the log-likelihood is not even monotonic in it. Particles of junk
classes add nothing and tell the level. A movie adds the sum over its particles, nothing if it was set aside; movies
of a group are draws of one kind, so that its mean has a standard error. (No part of RELION.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_JUNK = 50  # particles of junk classes, to take the level without signal from
LOW_SHARE = 0.05  # else it is this quantile of all: too low rather than too high
MOST_OF_MEAN = 0.7  # of the map's particles' Pmax: what junk classes show above that is no junk
NOTHING, LITTLE = 0.25, 0.75  # of the mean over all movies: "nothing" and "little" lie surely below
ERRORS = 0.05  # chance of one wrong word among all groups
POOLED = 3.0  # movies that the scatter within all groups counts as, beside a group's own
LEAST_MOVIES = 4
EVENING_ROUNDS = 30


@dataclass(frozen=True)
class Contribution:
    """What one group adds for each of its movies, the mean over all movies being 1."""

    group: int
    movies: int
    particles: int  # in the map
    per_movie: float
    error: float  # standard error of that
    share: float  # of all signal
    verdict: str  # "nothing", "little", or ""


def particle_signal(
    p_max: Floats,  # (n,) rlnMaxValueProbDistribution
    in_map: NDArray[np.bool_],  # (n,): the map's class, not one of the junk classes
) -> Floats:
    """Signal of each particle (n,): 0 in junk classes, elsewhere 1 on average; it may be negative by chance."""
    if not in_map.any():
        return np.zeros(len(p_max))
    mean = float(p_max[in_map].mean())
    junk = p_max[~in_map]
    level = float(junk.mean()) if len(junk) >= LEAST_JUNK else float(np.quantile(p_max, LOW_SHARE))
    level = min(level, MOST_OF_MEAN * mean)
    signal: Floats = np.where(in_map, (p_max - level) / max(mean - level, 1e-12), 0.0)
    return signal


def evened(
    p_max: Floats,  # (n,)
    movie: Ints,  # (n,) index of each particle's movie
    update: Ints,  # (n,) that searched it last
) -> Floats:
    """Pmax (n,) freed of when a particle was searched: better maps and finer steps change it for all alike.

    Factors of updates beside means of movies, by turns; movies with particles of several updates (old ones are searched
    again in turn) tell them apart. An update that shares no movie with another one keeps the factor 1.
    """
    _, which = np.unique(update, return_inverse=True)
    _, place = np.unique(movie, return_inverse=True)
    factor = np.ones(int(which.max(initial=0)) + 1)
    counts = np.bincount(place)
    for _ in range(EVENING_ROUNDS):
        means = np.bincount(place, p_max / factor[which]) / counts
        expected = np.bincount(which, means[place])
        factor = np.bincount(which, p_max) / np.maximum(expected, 1e-12)
        factor = np.maximum(factor / np.average(factor, weights=np.bincount(which)), 1e-3)
    found: Floats = p_max / factor[which]
    return found


def contributions(
    signal: Floats,  # (n,) of particles
    movie: Ints,  # (n,) index of each particle's movie
    group: Ints,  # (m,) index of each movie's group; -1: not known, counts in the mean only
    counted: NDArray[np.bool_],  # (m,): movies that are through: in the map, or set aside for good
) -> list[Contribution]:
    """One for each group that has movies, by group index."""
    per_movie = np.bincount(movie, signal, len(group))
    particles = np.bincount(movie, minlength=len(group))
    mean = float(per_movie[counted].mean()) if counted.any() else 0.0
    if not mean > 0:
        return []
    relative = per_movie / mean
    known = np.unique(group[counted & (group >= 0)])
    rows = [np.flatnonzero(counted & (group == each)) for each in known]
    spare = sum(len(each) - 1 for each in rows)
    pooled = sum(float(((relative[each] - relative[each].mean()) ** 2).sum()) for each in rows) / max(
        1, spare
    )
    found = []
    for each, inside in zip(known.tolist(), rows):
        average, count = float(relative[inside].mean()), len(inside)
        own = float(((relative[inside] - average) ** 2).sum())
        error = ((own + POOLED * pooled) / (count - 1 + POOLED) / count) ** 0.5
        found.append(
            Contribution(
                each,
                count,
                int(particles[inside].sum()),
                average,
                error,
                float(per_movie[inside].sum() / per_movie[counted].sum()),
                _verdict(average, error, count, len(known)),
            )
        )
    return found


def _verdict(average: float, error: float, count: int, groups: int) -> str:
    """What is true with certainty: that all groups' words are right has a chance of 1 - ERRORS."""
    if count < LEAST_MOVIES:
        return ""
    highest = average + error * float(stdtrit(count - 1 + POOLED, 1 - ERRORS / groups))
    return "nothing" if highest < NOTHING else "little" if highest < LITTLE else ""
