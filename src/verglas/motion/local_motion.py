"""Motion that differs across the frame: RELION's polynomial model (pipeline.md §5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
N_SPACE, N_TIME = 6, 3


@dataclass(frozen=True)
class PatchShift:
    """Shift of one patch in one frame, local and global motion together, in recorded pixels."""

    frame: int  # counted from the first frame in use
    centre_yx: tuple[float, float]
    shift_yx: tuple[float, float]


@dataclass(frozen=True)
class LocalMotion:
    """Shift in addition to the global one: sum of c[a, b] a b over a in 1, x, x^2, y, y^2, xy and b in
    z, z^2, z^3, with x and y in fractions of the frame about its middle and z frames from the first one.
    """

    coefficients_yx: Array  # (2, 18): along y, along x

    def at(self, places_yx: Array, frames: Array) -> Array:  # (P, 2), (M,) -> (P, M, 2)
        """Shifts at places given in fractions of the frame about its middle."""
        space, time = space_basis(places_yx), time_basis(frames)
        coefficients = self.coefficients_yx.reshape(2, N_SPACE, N_TIME)
        return np.einsum("pa,mb,iab->pmi", space, time, coefficients)

    def of_frame(self, frame: float) -> Array:  # (2, 6)
        """Coefficients of 1, x, x^2, y, y^2, xy for the shift in one frame, along y and x."""
        shift: Array = (
            self.coefficients_yx.reshape(2, N_SPACE, N_TIME) @ time_basis(np.array([frame])).ravel()
        )
        return shift

    def times(self, factor: float) -> LocalMotion:
        """The same motion in pixels of another size."""
        return LocalMotion(self.coefficients_yx * factor)

    def largest(self, n_frames: int) -> float:
        """Largest local shift at the last frame over a grid of places."""
        steps = np.linspace(-0.5, 0.5, 9)
        places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        return float(np.hypot(*self.at(places, np.array([n_frames - 1.0]))[:, 0].T).max())


def space_basis(places_yx: Array) -> Array:  # (P, 2) -> (P, 6)
    y, x = np.asarray(places_yx, float).T
    return np.stack([np.ones_like(x), x, x * x, y, y * y, x * y], axis=1)


def time_basis(frames: Array) -> Array:  # (M,) -> (M, 3)
    z = np.asarray(frames, float)
    return np.stack([z, z * z, z**3], axis=1)


def orthonormal_basis(frames: Array) -> tuple[Array, Array]:
    """Functions of place and frame that have mean square 1 and mean 0 over the frame, and what they are.

    Returns spatial (6, 5) and temporal (3, T) matrices: combinations of `space_basis` and `time_basis` that
    are orthonormal over the frame area and over `frames`. The spatial ones leave out the constant, which
    belongs to the global track. T is less than 3 where there are too few frames for all powers.
    """
    steps = (np.arange(64) + 0.5) / 64 - 0.5
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    space = space_basis(places)
    _, mixing = np.linalg.qr(space)
    spatial = np.linalg.inv(mixing)[:, 1:] * np.sqrt(len(space))
    moving = np.unique(frames[frames > 0])
    n_powers = min(N_TIME, len(moving))
    time = time_basis(frames)[:, :n_powers]
    _, mixing = np.linalg.qr(time)
    temporal = np.zeros((N_TIME, n_powers))
    temporal[:n_powers] = np.linalg.inv(mixing) * np.sqrt(len(time))
    return spatial, temporal
