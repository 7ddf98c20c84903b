"""Slices in plain torch operations: any device and precision, the yardstick of the faster kernels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from verglas.fourier.lattice import Lattice

_PIXELS_AT_ONCE = 1 << 22


def read_slices(
    values: Tensor, lattice: Lattice, classes: Tensor, steps: Tensor, indices_yx: Tensor, out: Tensor
) -> None:
    """As `slicing.read_slices`, into out (n, P)."""
    flat = values.reshape(-1)
    for rows in _chunks(len(out), len(indices_yx)):
        points, mirrored, inside = lattice_points(lattice, steps[rows], indices_yx)
        total = torch.zeros_like(out[rows])
        for position, weight in corners(lattice, points, classes[rows]):
            total += flat[position] * weight
        out[rows] = torch.where(mirrored, total.conj(), total) * inside


def add_slices(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    classes: Tensor,
    steps: Tensor,
    indices_yx: Tensor,
    slices: Tensor,
    weights: Tensor,
) -> None:
    """As `slicing.add_slices`."""
    flat, flat_weight = data.view(-1), weight.view(-1)
    for rows in _chunks(len(slices), len(indices_yx)):
        points, mirrored, inside = lattice_points(lattice, steps[rows], indices_yx)
        keep = inside & (weights[rows] > 0)
        part = torch.where(mirrored, slices[rows].conj(), slices[rows]) * keep
        amount = weights[rows] * keep
        for position, share in corners(lattice, points, classes[rows]):
            flat.index_add_(0, position.flatten(), (part * share).flatten().to(data.dtype))
            flat_weight.index_add_(0, position.flatten(), (amount * share).flatten().to(weight.dtype))


def _chunks(n: int, pixels: int) -> Iterator[slice]:
    step = max(1, _PIXELS_AT_ONCE // max(1, pixels))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))


def lattice_points(lattice: Lattice, steps: Tensor, indices_yx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lattice positions (n, P, 3) as (x, y, z) with x >= 0, which were mirrored, and which lie inside."""
    xy = indices_yx.flip(-1).to(steps)
    points = torch.einsum("pi,nij->npj", xy, steps)
    inside = points.square().sum(-1) <= lattice.squared_limit
    mirrored = points[..., 0] < 0
    points = torch.where(mirrored[..., None], -points, points)
    return torch.where(inside[..., None], points, 0.0), mirrored, inside


def corners(lattice: Lattice, points: Tensor, classes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """(flat index, weight) of the 2^d corners around each point."""
    points = points[..., : lattice.dims].flip(-1)
    lower = points.floor()
    fraction = points - lower
    base = lower.long()
    base[..., :-1] += lattice.half
    for corner in product((0, 1), repeat=lattice.dims):
        position = classes[:, None].expand(points.shape[:-1])
        weight = torch.ones_like(fraction[..., 0])
        for axis, step in enumerate(corner):
            position = position * lattice.shape[axis] + base[..., axis] + step
            weight = weight * (fraction[..., axis] if step else 1 - fraction[..., axis])
        yield position, weight
