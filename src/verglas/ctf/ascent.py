"""Climbing several maxima of a smooth function side by side, from values alone.

Every round asks for all climbers at once: first the points around each, which give gradient and second
derivatives, then Newton steps damped more or less. So a device scores a few large batches instead of a
thousand single trials, and a climber never goes down: the best point seen is where it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Score = Callable[[Array], Array]  # (n, d) -> (n,)

REACH = 0.2  # of the points around a climber, in units of the coordinates
LEAST_REACH = 0.02
LONGEST_STEP = 5.0
DAMPING = (0.0, 0.03, 0.3, 3.0, 30.0)  # of the mean curvature, added to the curvature
ARRIVED = 0.01  # a Newton step shorter than this


def climb(score: Score, starts: Array, rounds: int = 40) -> tuple[Array, Array]:
    """Maxima (m, d) near the starts (m, d), and their scores (m,).

    Coordinates should be scaled so that the function changes over one unit or more. Maxima on a kink
    (the end of a range) are found by the points around alone, to `LEAST_REACH`.
    """
    places = np.array(starts, float)
    values = score(places)
    reach = np.full(len(places), REACH)
    active = np.ones(len(places), bool)
    pattern = _pattern(places.shape[1])
    for _ in range(rounds):
        who = np.flatnonzero(active)
        if not len(who):
            break
        around = places[who, None] + reach[who, None, None] * pattern
        around_values = _scores(score, around)
        slopes, curvatures = _derivatives(values[who], around_values, reach[who])
        steps = np.stack([_newton_steps(*both) for both in zip(slopes, curvatures, strict=True)])
        ahead = places[who, None] + steps
        tried = np.concatenate([around, ahead], axis=1)
        tried_values = np.concatenate([around_values, _scores(score, ahead)], axis=1)
        best = tried_values.argmax(axis=1)
        for row, index in enumerate(who):
            gain = tried_values[row, best[row]] - values[index]
            if gain > 0:
                places[index], values[index] = tried[row, best[row]], tried_values[row, best[row]]
            small = np.hypot.reduce(steps[row, 0]) < ARRIVED
            is_maximum = np.linalg.eigvalsh(curvatures[row]).max() < 0
            if small and is_maximum and (around_values[row] <= values[index]).all():
                active[index] = False
            elif gain <= 1e-9:
                reach[index] /= 3
                active[index] = reach[index] >= LEAST_REACH
    return places, values


def _scores(score: Score, points: Array) -> Array:
    return score(points.reshape(-1, points.shape[-1])).reshape(points.shape[:-1])


def _pattern(d: int) -> Array:
    """Offsets of the points around: +- each axis, then +- each sum of two axes."""
    axes = np.eye(d)
    sums = [axes[i] + axes[j] for i, j in combinations(range(d), 2)]
    return np.concatenate([sign * np.array(part) for part in (axes, sums) for sign in (1, -1)])


def _derivatives(centre: Array, around: Array, reach: Array) -> tuple[Array, Array]:
    """Gradients (m, d) and second derivatives (m, d, d) by central differences.

    `around` (m, points) in the order of `_pattern`.
    """
    d = next(n for n in range(1, around.shape[1]) if n * n + n == around.shape[1])
    plus, minus = around[:, :d], around[:, d : 2 * d]
    pairs = list(combinations(range(d), 2))
    sums = around[:, 2 * d : 2 * d + len(pairs)] + around[:, 2 * d + len(pairs) :]
    square = reach[:, None] ** 2
    curvature = np.zeros((len(centre), d, d))
    along = (plus + minus - 2 * centre[:, None]) / square
    for axis in range(d):
        curvature[:, axis, axis] = along[:, axis]
    for index, (i, j) in enumerate(pairs):
        both = (sums[:, index] - 2 * centre) / square[:, 0] - along[:, i] - along[:, j]
        curvature[:, i, j] = curvature[:, j, i] = both / 2
    return (plus - minus) / (2 * reach[:, None]), curvature


def _newton_steps(slope: Array, curvature: Array) -> Array:  # (len(DAMPING), d)
    """Steps uphill, less and less damped ones first; never longer than `LONGEST_STEP`."""
    bends, directions = np.linalg.eigh(-curvature)
    scale = max(float(np.abs(bends).mean()), 1e-12)
    lift = max(0.0, 1e-3 * scale - float(bends.min()))
    along = directions.T @ slope
    steps = []
    for damping in DAMPING:
        step = directions @ (along / (bends + lift + damping * scale))
        length = float(np.hypot.reduce(step))
        steps.append(step * min(1.0, LONGEST_STEP / max(length, 1e-12)))
    return np.array(steps)
