"""Straight tracks of movie particles, found with their neighbours' help (particle polishing of RELION 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def straight_tracks(motion: Array, places: Array, sigma_neighbours: float) -> Array:
    """Lines (P, F, 2) through tracks (P, F, 2) that were averaged with those of neighbours.

    Particles at `places` (P, 2) count as Gaussians of their distance, in the units of `sigma_neighbours`; 0:
    each by itself. A single frame stays where it is.
    """
    frames = motion.shape[1]
    if frames < 2:
        return motion.copy()
    if sigma_neighbours > 0:
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        weights = np.exp(-(apart**2) / (2 * sigma_neighbours**2))
        motion = np.einsum("pq,qfi->pfi", weights / weights.sum(axis=1, keepdims=True), motion)
    time = np.arange(frames) - (frames - 1) / 2
    mean = motion.mean(axis=1, keepdims=True)
    slope = np.einsum("f,pfi->pi", time, motion) / (time**2).sum()
    found: Array = mean + time[None, :, None] * slope[:, None]
    return found
