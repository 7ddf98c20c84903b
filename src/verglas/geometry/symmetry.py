"""Point groups: their operators and the directions that need searching (refinement.md §1.6, §2.4, §3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.geometry.asymmetric_unit import contains, without_duplicates
from verglas.geometry.euler import view_vectors
from verglas.geometry.group_names import Generators, generators
from verglas.geometry.healpix import healpix_directions

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointGroup:
    """A point group; operator 0 is the identity.

    A map ρ of this symmetry has ρ(R v) = ρ(v). Orientation A is equivalent to L A R: L is the identity for
    rotations; for mirror-type operators it is diag(1, 1, -1), which flips what a projection cannot see and
    makes L A R a rotation again.
    """

    name: str
    operators: Tensor  # R (g, 3, 3) float64
    left: Tensor  # L (g, 3, 3) float64

    @staticmethod
    def of(name: str) -> PointGroup:
        """The group of a name in RELION's spelling, case ignored; ValueError for an unknown one."""
        return _point_group(name.strip().upper())

    @property
    def order(self) -> int:
        return len(self.operators)

    @property
    def is_chiral(self) -> bool:
        """Whether all operators are rotations."""
        return bool((torch.linalg.det(self.operators) > 0).all())

    def mates(self, matrices: Tensor) -> Tensor:
        """All orientations L A R equivalent to A (..., 3, 3); (..., g, 3, 3), the first A itself."""
        return self.left @ matrices.double()[..., None, :, :] @ self.operators

    def direction_mates(self, vectors: Tensor) -> Tensor:
        """Viewing directions (..., 3) equivalent to each direction; (..., g, 3)."""
        signed = self.left[:, 2, 2, None, None] * self.operators
        return torch.einsum("...i,gij->...gj", vectors.double(), signed)

    def contains(self, rot_tilt_deg: Tensor) -> Tensor:
        """Which directions (rot, tilt) (..., 2) in degrees lie in the asymmetric unit, borders included."""
        return contains(self.name, rot_tilt_deg, self.direction_mates)

    def asymmetric_pixels(self, order: int) -> Tensor:
        """Nested HEALPix pixels of an order to search, ascending; one of each orbit for grids under 4000."""
        directions = healpix_directions(order)
        kept = self.contains(directions).nonzero().flatten()
        if self.order == 1:
            return kept
        return kept[without_duplicates(view_vectors(directions[kept]), order, self.direction_mates)]


@lru_cache(maxsize=32)
def _point_group(name: str) -> PointGroup:
    recipe = generators(name)
    matrices = _close(_generating_matrices(recipe), recipe.order, name)
    operators = torch.from_numpy(matrices)
    left = torch.eye(3, dtype=torch.float64).repeat(len(matrices), 1, 1)
    left[:, 2, 2] = torch.linalg.det(operators).round()
    return PointGroup(name, operators, left)


def _generating_matrices(recipe: Generators) -> list[Matrix]:
    matrices = [_rotation(2 * np.pi / fold, np.array(axis)) for fold, axis in recipe.rotations if fold > 1]
    matrices += [np.eye(3) - 2 * np.outer(normal, normal) for normal in recipe.mirrors]
    return [*matrices, -np.eye(3)] if recipe.inversion else matrices


def _rotation(angle: float, axis: Matrix) -> Matrix:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _close(matrices: list[Matrix], order: int, name: str) -> Matrix:
    """All products of the generators, identity first, orthonormal to double precision."""
    group = [np.eye(3)]
    frontier = group
    while frontier:
        products = [orthonormal(m @ g) for m in frontier for g in matrices]
        frontier = []
        for product in products:
            if all(np.abs(product - member).max() > 1e-6 for member in group):
                group.append(product)
                frontier.append(product)
        if len(group) > order:
            break
    if len(group) != order:
        raise ArithmeticError(f"point group {name} closed with {len(group)} operators, expected {order}")
    return np.stack(group)


def orthonormal(matrix: Matrix) -> Matrix:
    """The orthogonal matrix nearest to a nearly orthogonal one."""
    u, _, vt = np.linalg.svd(matrix)
    return u @ vt
