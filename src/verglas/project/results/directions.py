"""Viewing directions on the sphere, each at all the places where the symmetry of the map has it.

What is equivalent looks the same in projections: particles of a D7 map all lie in a wedge, which is no
preferred orientation. Without torch, which the pages do not load.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verglas.geometry.group_names import generators

Matrices = NDArray[np.float64]  # (g, 3, 3)


def mates(directions: NDArray[np.float64], symmetry: str) -> NDArray[np.float64]:
    """Directions (n, 3) equivalent under a point group, as (n, g, 3). Raises ValueError for its name."""
    operators = _operators(symmetry.strip().upper())
    signs = np.sign(np.linalg.det(operators))  # a projection does not tell a mirror image from its back
    found: NDArray[np.float64] = np.einsum("ni,gij->ngj", directions, signs[:, None, None] * operators)
    return found


def directions_of(rot_deg: NDArray[np.float64], tilt_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (n, 3) of Euler angles: the third row of their matrices."""
    rot, tilt = np.deg2rad(rot_deg), np.deg2rad(tilt_deg)
    return np.stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)], 1)


@lru_cache(maxsize=16)
def _operators(name: str) -> Matrices:
    recipe = generators(name)
    first = [np.eye(3)]
    first += [_rotation(2 * np.pi / fold, np.array(axis)) for fold, axis in recipe.rotations]
    first += [np.eye(3) - 2 * np.outer(normal, normal) for normal in recipe.mirrors]
    first += [-np.eye(3)] if recipe.inversion else []
    found = _different(np.array(first))
    while len(found) < recipe.order:
        products = np.einsum("aij,bjk->abik", found, found).reshape(-1, 3, 3)
        more = _different(np.concatenate([found, products]))
        if len(more) == len(found):
            break
        found = more
    return found


def _different(matrices: Matrices) -> Matrices:
    """Each matrix once, in order."""
    _, places = np.unique(np.round(matrices, 6) + 0.0, axis=0, return_index=True)
    return matrices[np.sort(places)]


def _rotation(angle: float, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rodrigues' formula; the axis is a unit vector."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned
