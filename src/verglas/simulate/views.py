"""Orientations: uniform ones, and discrete views with a little jitter (known 2D classes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def uniform_directions(count: int, rng: np.random.Generator) -> Array:
    """Viewing directions (rot, tilt) in degrees (count, 2), uniform on the sphere."""
    rot = rng.uniform(-180, 180, count)
    tilt = np.rad2deg(np.arccos(rng.uniform(-1, 1, count)))
    return np.stack([rot, tilt], axis=1)


def random_poses(
    count: int,
    rng: np.random.Generator,
    views_deg: Array | None = None,
    jitter_deg: float = 3.0,
    weights: Array | None = None,
) -> tuple[Array, NDArray[np.int64]]:
    """Eulers (count, 3) rot, tilt, psi in degrees and the view each one came from (count,), from 0.

    Without `views_deg` (k, 2) directions are uniform and all views are 0. Jitter is the standard
    deviation of the direction along each axis; psi is uniform always.
    """
    psi = rng.uniform(-180, 180, count)
    if views_deg is None:
        directions = uniform_directions(count, rng)
        return np.column_stack([directions, psi]), np.zeros(count, np.int64)
    shares = None if weights is None else np.asarray(weights, float) / np.sum(weights)
    view = rng.choice(len(views_deg), count, p=shares)
    vectors = unit_vectors(views_deg)[view]
    vectors = vectors + rng.normal(size=(count, 3)) * np.deg2rad(jitter_deg)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.column_stack([rot_tilt(vectors), psi]), view


def spread_views(count: int, operators: Sequence[Array]) -> Array:
    """`count` directions (rot, tilt) as different from each other as the symmetry allows, (count, 2).

    Farthest-point choice among 4,000 directions, distances minimised over the operators; starts from the
    view along z. The same arguments give the same views.
    """
    candidates = unit_vectors(spiral_views(4000))
    mates = np.stack([np.asarray(operator) for operator in operators])
    chosen = [np.array([0.0, 0.0, 1.0])]
    closeness = _closeness(candidates, chosen[0], mates)
    while len(chosen) < count:
        chosen.append(candidates[int(np.argmin(closeness))])
        closeness = np.maximum(closeness, _closeness(candidates, chosen[-1], mates))
    return rot_tilt(np.array(chosen))


def _closeness(candidates: Array, direction: Array, mates: Array) -> Array:
    """Largest cosine of each candidate with any symmetry mate of `direction`."""
    return (candidates @ (mates @ direction).T).max(axis=1)


def spiral_views(count: int) -> Array:
    """Directions (rot, tilt) in degrees (count, 2), evenly spread: a Fibonacci spiral."""
    index = np.arange(count) + 0.5
    tilt = np.rad2deg(np.arccos(1 - 2 * index / count))
    rot = np.mod(np.rad2deg(np.pi * (1 + 5**0.5) * index) + 180, 360) - 180
    return np.stack([rot, tilt], axis=1)


def unit_vectors(rot_tilt_deg: Array) -> Array:
    """Unit vectors (n, 3) of directions (n, 2) in degrees."""
    rot, tilt = np.deg2rad(np.asarray(rot_tilt_deg, float)).T
    return np.stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)], axis=1)


def rot_tilt(vectors: Array) -> Array:
    """Directions (n, 2) in degrees of unit vectors (n, 3)."""
    rot = np.rad2deg(np.arctan2(vectors[:, 1], vectors[:, 0]))
    return np.stack([rot, np.rad2deg(np.arccos(np.clip(vectors[:, 2], -1, 1)))], axis=1)
