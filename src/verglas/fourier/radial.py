"""Sums over shells and radial weights of half transforms, slab by slab: a 512³ map has 7·10⁷ frequencies.

What depends on the radius alone is a table over r², the integer |k|²: far shorter than the transform.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from verglas.fourier.grid import row_indices, shell_sums

_SLAB_POINTS = 1 << 21


def slabs(side: int, dims: int = 3, device: torch.device | None = None) -> Iterator[tuple[slice, Tensor]]:
    """(rows of the first axis, |k|² of their frequencies as int64) of a half transform, in pieces."""
    rows = row_indices(side, device).square()
    plane = torch.arange(side // 2 + 1, device=device).square()
    if dims == 3:
        plane = rows[:, None] + plane
    step = max(1, _SLAB_POINTS // plane.numel())
    for start in range(0, side, step):
        part = slice(start, min(side, start + step))
        yield part, rows[part].reshape(-1, *[1] * plane.ndim) + plane


def largest_squared_radius(side: int, dims: int = 3) -> int:
    """|k|² in the corner of a half transform."""
    return dims * (side // 2) ** 2


def radii(side: int, dims: int = 3, device: torch.device | None = None) -> Tensor:
    """|k| of every entry of a table over r², in shells, float64."""
    table = torch.arange(largest_squared_radius(side, dims) + 1, device=device)
    return table.double().sqrt()


def by_shell(table: Tensor, side: int, dims: int = 3) -> Tensor:
    """Sums (..., N//2+1) over shells round(|k|) of tables (..., R) over r²."""
    return shell_sums(table, radii(side, dims, table.device).round().long(), side // 2 + 1)


def amplitude_sums(spectrum: Tensor) -> Tensor:
    """Σ|F| and the number of frequencies for every |k|² of a half transform; (2, R) float64."""
    side, dims = int(spectrum.shape[-2]), spectrum.ndim
    length = largest_squared_radius(side, dims) + 1
    total = torch.zeros(2, length, dtype=torch.float64, device=spectrum.device)
    for rows, squared in slabs(side, dims, spectrum.device):
        places = squared.flatten()
        total[0] += torch.bincount(places, spectrum[rows].abs().flatten().double(), length)
        total[1] += torch.bincount(places, minlength=length)
    return total


def shell_products(first: Tensor, second: Tensor) -> Tensor:
    """Shell sums of Re conj(F1) F2, |F1|² and |F2|² of two half transforms; (3, N//2+1) float64."""
    side, dims = int(first.shape[-2]), first.ndim
    length = side // 2 + 1
    outside = length + int(length * dims**0.5)  # more than the shell of the corner
    total = torch.zeros(3, outside, dtype=torch.float64, device=first.device)
    for rows, squared in slabs(side, dims, first.device):
        shells = squared.double().sqrt().round().long().flatten()
        one, two = first[rows].flatten(), second[rows].flatten()
        products = (one.conj() * two).real, _squared_modulus(one), _squared_modulus(two)
        for line, values in zip(total, products):
            line += torch.bincount(shells, values.double(), outside)
    return total[:, :length]


def weight_radially(spectrum: Tensor, table: Tensor) -> Tensor:
    """The half transform times a table (R,) over r², in place."""
    factors = table.to(device=spectrum.device, dtype=spectrum.real.dtype)
    for rows, squared in slabs(int(spectrum.shape[-2]), spectrum.ndim, spectrum.device):
        spectrum[rows] *= factors[squared]
    return spectrum


def _squared_modulus(values: Tensor) -> Tensor:
    return values.real.square() + values.imag.square()
