"""How close a result is to the truth of a simulation: drift, picks, classes.

The measures are those the field's comparisons use; each says what it leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree


def drift_rms(shifts_yx: ArrayLike, drift_yx: ArrayLike) -> float:
    """RMS distance (pixels) of two tracks (frames, 2) after taking off each one's mean.

    `shifts_yx` are shifts to apply to the frames, `drift_yx` where the specimen went: opposite signs.
    """
    applied, truth = np.asarray(shifts_yx, float), np.asarray(drift_yx, float)
    if applied.shape != truth.shape:
        raise ValueError(f"tracks of {len(applied)} and {len(truth)} frames cannot be compared")
    error = -(applied - applied.mean(axis=0)) - (truth - truth.mean(axis=0))
    return float(np.sqrt((error**2).sum(axis=1).mean()))


@dataclass(frozen=True, slots=True)
class PickScore:
    """Picks against true positions."""

    hits: int
    picks: int
    truth: int

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.picks)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.truth)

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, self.picks + self.truth)

    def __add__(self, other: PickScore) -> PickScore:
        return PickScore(self.hits + other.hits, self.picks + other.picks, self.truth + other.truth)


def match_points(
    found_xy: NDArray[np.floating],  # (n, 2)
    truth_xy: NDArray[np.floating],  # (m, 2)
    distance: float,
) -> NDArray[np.int64]:
    """For each found point the index of its true point, or -1; nearest pairs first, one to one."""
    match = np.full(len(found_xy), -1)
    if not len(found_xy) or not len(truth_xy):
        return match
    distances, nearest = cKDTree(truth_xy).query(found_xy, k=min(4, len(truth_xy)))
    distances, nearest = distances.reshape(len(found_xy), -1), nearest.reshape(len(found_xy), -1)
    used: set[int] = set()
    for flat in np.argsort(distances, axis=None):
        row, column = divmod(int(flat), distances.shape[1])
        true = int(nearest[row, column])
        if distances[row, column] > distance:
            break
        if match[row] < 0 and true not in used:
            match[row] = true
            used.add(true)
    return match


def score_picks(
    found_xy: NDArray[np.floating],
    truth_xy: NDArray[np.floating],
    distance: float,
    border: float = 0.0,
    shape_yx: tuple[int, int] | None = None,
) -> PickScore:
    """Precision and recall within `distance` (pixels); a border may be left out on both sides.

    A point inside the border still serves as partner of one outside it, so that the line itself costs
    nobody a hit.
    """
    match = match_points(found_xy, truth_xy, distance)
    inside_found = _inside(found_xy, border, shape_yx)
    inside_truth = _inside(truth_xy, border, shape_yx)
    matched_truth = np.zeros(len(truth_xy), bool)
    matched_truth[match[match >= 0]] = True
    false_picks = inside_found & (match < 0)
    missed = inside_truth & ~matched_truth
    hits = int((matched_truth & inside_truth).sum())
    return PickScore(hits, hits + int(false_picks.sum()), hits + int(missed.sum()))


def _inside(
    points_xy: NDArray[np.floating], border: float, shape_yx: tuple[int, int] | None
) -> NDArray[np.bool_]:
    if shape_yx is None or not len(points_xy):
        return np.ones(len(points_xy), bool)
    upper = np.array([shape_yx[1], shape_yx[0]]) - border
    inside: NDArray[np.bool_] = np.all((points_xy >= border) & (points_xy < upper), axis=1)
    return inside


def contingency(found: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Counts of (found class, true class) pairs, over labels in sorted order."""
    _, rows = np.unique(np.asarray(found), return_inverse=True)
    _, columns = np.unique(np.asarray(truth), return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def class_purity(found: ArrayLike, truth: ArrayLike) -> float:
    """Share of particles that belong to the commonest true class of their found class."""
    table = contingency(found, truth)
    return float(table.max(axis=1).sum() / table.sum())


def normalised_mutual_information(found: ArrayLike, truth: ArrayLike) -> float:
    """Mutual information over the mean of the two entropies; 1 for identical partitions."""
    joint = contingency(found, truth) / len(np.asarray(found))
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    present = joint > 0
    information = (joint[present] * np.log((joint / np.outer(rows, columns))[present])).sum()
    entropy = -(rows * np.log(rows)).sum() - (columns * np.log(columns)).sum()
    return float(2 * information / entropy) if entropy > 0 else 1.0
