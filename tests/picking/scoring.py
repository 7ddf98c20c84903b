"""F1 of picks against truth: one to one, nearest first, within a radius."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def hits(picks: np.ndarray, truth: np.ndarray, radius: float) -> int:
    if not len(picks) or not len(truth):
        return 0
    distance, nearest = cKDTree(truth).query(picks)
    used: set[int] = set()
    for index in np.argsort(distance):
        if distance[index] <= radius:
            used.add(int(nearest[index]))
    return len(used)


def f1(picks: np.ndarray, truth: np.ndarray, radius: float) -> float:
    return 2 * hits(picks, truth, radius) / max(1, len(picks) + len(truth))


def within(xy: np.ndarray, shape: tuple[int, int], border: float) -> np.ndarray:
    inside = (xy >= border).all(1) & (xy[:, 0] < shape[1] - border) & (xy[:, 1] < shape[0] - border)
    return xy[inside]
