"""Slices of centred, padded half transforms: reading them, adding to them (refinement.md §1.13, §3.1).

One code for 2D references (a "slice" is the whole rotated plane) and 3D ones. A lattice of side L holds
frequencies -h..h on every axis but x, which holds 0..L//2; values at (L, L//2+1) or (L, L, L//2+1).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from verglas.em.rounding import nearest, nearest_shells


@dataclass(frozen=True)
class Lattice:
    """Geometry of a centred half transform up to r_max (of the unpadded box), padded by `padding`."""

    dims: int
    r_max: int
    padding: float

    @property
    def half(self) -> int:
        return nearest(self.padding * self.r_max) + 1

    @property
    def side(self) -> int:
        return 2 * self.half + 1

    @property
    def shape(self) -> tuple[int, ...]:
        return (*[self.side] * (self.dims - 1), self.side // 2 + 1)

    @property
    def size(self) -> int:
        """Number of stored points."""
        total = 1
        for n in self.shape:
            total *= n
        return total

    def radii(self, device: torch.device | str = "cpu") -> Tensor:
        """Distance from the origin of every stored point, float64, in padded units."""
        axis = torch.arange(-self.half, self.half + 1, dtype=torch.float64, device=device)
        axes = [axis] * (self.dims - 1) + [axis[self.half :]]
        return sum_of_squares(axes).sqrt()

    def shells(self, device: torch.device | str = "cpu") -> Tensor:
        """round(|v| / padding) of every stored point, int64."""
        return nearest_shells(self.radii(device) / self.padding)


def sum_of_squares(axes: list[Tensor]) -> Tensor:
    """x² + y² (+ z²) on the grid spanned by 1D axes."""
    total: Tensor | None = None
    for number, axis in enumerate(axes):
        shape = [1] * len(axes)
        shape[number] = -1
        squared = axis.square().reshape(shape)
        total = squared if total is None else total + squared
    if total is None:
        raise ValueError("no axes")
    return total


@dataclass(frozen=True)
class Corners:
    """Where slice pixels lie in a lattice: 2^d corners with their linear weights."""

    position: Tensor  # (2^d, M) flat index
    weight: Tensor  # (2^d, M); 0 for pixels outside r_max
    mirrored: Tensor  # (M,) bool: the value is the conjugate


def corners(lattice: Lattice, matrices: Tensor, indices_yx: Tensor) -> Corners:
    """Lattice positions of the pixels (P, 2) of slices with matrices (n, 3, 3); M = n * P.

    Image frequency (x, y) samples the lattice at padding · A⁻¹ (x, y, 0); beyond r_max the weight is 0.
    """
    inverse = torch.linalg.inv(matrices.double())
    xy = indices_yx.flip(-1).double()  # (P, 2)
    points = lattice.padding * torch.einsum("nij,pj->npi", inverse[:, : lattice.dims, :2], xy)
    points = points.reshape(-1, lattice.dims)
    inside = points.square().sum(1) <= (lattice.padding * lattice.r_max) ** 2 + 1e-9
    mirrored = points[:, 0] < 0
    points = torch.where(mirrored[:, None], -points, points)
    points = torch.where(inside[:, None], points, 0.0).flip(-1)  # (z,) y, x
    lower = points.floor()
    fraction = points - lower
    base = lower.long()
    base[:, :-1] += lattice.half
    positions, weights = [], []
    for corner in product((0, 1), repeat=lattice.dims):
        flat = torch.zeros_like(base[:, 0])
        weight = inside.double()
        for axis, step in enumerate(corner):
            flat = flat * lattice.shape[axis] + base[:, axis] + step
            part = fraction[:, axis]
            weight = weight * (part if step else 1 - part)
        positions.append(flat)
        weights.append(weight)
    return Corners(torch.stack(positions), torch.stack(weights), mirrored)


def read_slices(values: Tensor, where: Corners) -> Tensor:
    """Slices of lattices (C, L...) complex at M pixels: (C, M), linear interpolation."""
    flat = values.flatten(1)
    result = flat.new_zeros((flat.shape[0], where.mirrored.numel()))
    for position, weight in zip(where.position, where.weight):
        result += flat[:, position] * weight.to(flat.real.dtype)
    return torch.where(where.mirrored, result.conj(), result)


def add_slices(values: Tensor, where: Corners, slices: Tensor) -> None:
    """Splat M slice values (complex or real) into a lattice (L...) in place: the adjoint of reading."""
    flat = values.view(-1)
    if slices.is_complex():
        slices = torch.where(where.mirrored, slices.conj(), slices)
    for position, weight in zip(where.position, where.weight):
        flat.index_add_(0, position, (slices * weight).to(flat.dtype))


def hermitian(values: Tensor) -> Tensor:
    """Give both members of each ± pair on the x = 0 plane the sum of member and conjugated mate.

    Works for data (complex) and weights (real); the origin is left alone (refinement.md §3.2).
    """
    plane = values[..., 0]
    mate = plane.flip(list(range(plane.ndim)))
    total = plane + (mate.conj() if values.is_complex() else mate)
    centre = tuple(n // 2 for n in plane.shape)
    total[centre] = plane[centre]
    result = values.clone()
    result[..., 0] = total
    return result
