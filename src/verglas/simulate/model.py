"""Atoms: what a specimen is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class UnusableModel(ValueError):
    """An atomic model that nothing can be simulated from; the message says why."""


@dataclass(frozen=True, slots=True)
class AtomicModel:
    """Atoms of a specimen: positions x, y, z in Å, element symbols, B-factors in Å²."""

    coordinates: NDArray[np.float64]  # (n, 3) x, y, z
    elements: NDArray[np.str_]  # (n,) "C", "N", "Zn", ...
    b_factors: NDArray[np.float64]  # (n,)
    name: str = "model"

    def __post_init__(self) -> None:
        count = len(self.coordinates)
        if count == 0:
            raise UnusableModel(f"{self.name}: no atoms in it")
        if self.coordinates.shape != (count, 3):
            raise UnusableModel(f"{self.name}: coordinates of shape {self.coordinates.shape}")
        if len(self.elements) != count or len(self.b_factors) != count:
            raise UnusableModel(f"{self.name}: {count} positions, {len(self.elements)} elements")
        if not np.isfinite(self.coordinates).all():
            row = int(np.flatnonzero(~np.isfinite(self.coordinates).all(axis=1))[0])
            raise UnusableModel(f"{self.name}: position of atom {row + 1} is not a number")

    def __len__(self) -> int:
        return len(self.coordinates)

    def centred(self) -> AtomicModel:
        """The same model with the mean of its positions at the origin."""
        return self.moved(self.coordinates - self.coordinates.mean(axis=0))

    def moved(self, coordinates: NDArray[np.float64]) -> AtomicModel:
        """The same atoms at other positions."""
        return AtomicModel(coordinates, self.elements, self.b_factors, self.name)

    def diameter_angst(self) -> float:
        """Twice the largest distance of an atom from the origin: the circle every view fits in."""
        return 2.0 * float(np.sqrt((self.coordinates**2).sum(axis=1).max()))

    def assembled(
        self, matrices: Sequence[NDArray[np.float64]], vectors: Sequence[NDArray[np.float64]]
    ) -> AtomicModel:
        """All copies v -> M v + t of the model together (a biological assembly)."""
        copies = [self.coordinates @ m.T + t for m, t in zip(matrices, vectors, strict=True)]
        return AtomicModel(
            np.concatenate(copies),
            np.tile(self.elements, len(copies)),
            np.tile(self.b_factors, len(copies)),
            self.name,
        )


def cyclic_operators(order: int) -> list[NDArray[np.float64]]:
    """The n rotations of Cn about z."""
    turns = []
    for k in range(order):
        angle = 2 * np.pi * k / order
        c, s = np.cos(angle), np.sin(angle)
        turns.append(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))
    return turns


def dihedral_operators(order: int) -> list[NDArray[np.float64]]:
    """The 2n rotations of Dn: n-fold axis along z, twofold along x."""
    turns = cyclic_operators(order)
    flip = np.diag([1.0, -1.0, -1.0])
    return turns + [turn @ flip for turn in turns]
