"""Peaks of a score map: local maxima, best first, none closer to a better one than a distance."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from verglas.picking.picks import Array


def local_maxima(score: Tensor, floor: float, border_px: float = 0.0) -> tuple[Array, Array]:
    """Positions (n, 2) as x, y with sub-pixel part, and values (n,), of maxima above `floor`.

    Sorted by falling value. `border_px` leaves a frame out.
    """
    highest = torch.nn.functional.max_pool2d(score[None, None], 3, 1, 1)[0, 0]
    found = (score == highest) & (score > floor)
    rows, columns = torch.nonzero(found, as_tuple=True)
    edge = max(1.0, border_px)
    inside = (rows >= edge) & (rows <= score.shape[0] - 1 - edge)
    inside &= (columns >= edge) & (columns <= score.shape[1] - 1 - edge)
    rows, columns = rows[inside], columns[inside]
    value = score[rows, columns]
    x = columns + _vertex(score[rows, columns - 1], value, score[rows, columns + 1])
    y = rows + _vertex(score[rows - 1, columns], value, score[rows + 1, columns])
    order = torch.argsort(value, descending=True, stable=True)
    position = torch.stack([x, y], 1)[order].cpu().numpy().astype(np.float64)
    return position, value[order].cpu().numpy().astype(np.float64)


def _vertex(before: Tensor, at: Tensor, after: Tensor) -> Tensor:
    """Offset of the vertex of a parabola through three points around a maximum, within half a pixel."""
    curvature = (2 * at - before - after).clamp(min=1e-12)
    return (0.5 * (after - before) / curvature).clamp(-0.5, 0.5)


def keep_apart(position: Array, distance: float) -> Array:
    """Indices of the peaks kept, given best first: a peak goes if a kept one is nearer than `distance`.

    Of a close pair the better one stays (the reference program loses both, refinement.md §10.4).
    """
    if len(position) == 0:
        return np.zeros(0, np.int64)
    neighbours = cKDTree(position).query_ball_point(position, distance, return_sorted=False)
    gone = np.zeros(len(position), bool)
    kept = []
    for index, near in enumerate(neighbours):
        if gone[index]:
            continue
        kept.append(index)
        gone[near] = True
    return np.array(kept, np.int64)
