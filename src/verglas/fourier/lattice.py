"""The centred, padded half transforms that slices are read from and added to (refinement.md §1.13, §3.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier.grid import Device

_SLAB_POINTS = 1 << 22
# Pixels on the rim lie at |L| = padding · r_max exactly; single precision must not lose them.
_RIM = 1 + 1e-5


@dataclass(frozen=True)
class Lattice:
    """Frequencies -half..half on every axis but x, which holds 0..half, up to r_max of the unpadded box.

    `shape` is (side, half+1) in 2D and (side, side, half+1) in 3D, axes z, y, x; the origin is at index
    `half` of y and z and 0 of x. One frequency step of the image is `padding` lattice points.
    """

    dims: int
    r_max: int
    padding: float

    def __post_init__(self) -> None:
        if self.dims not in (2, 3):
            raise ValueError(f"lattices have 2 or 3 dimensions, got {self.dims}")
        if self.r_max < 1 or self.padding < 1:
            raise ValueError(f"need r_max >= 1 and padding >= 1, got {self.r_max} and {self.padding}")

    @property
    def half(self) -> int:
        return math.floor(self.padding * self.r_max + 0.5) + 1

    @property
    def side(self) -> int:
        return 2 * self.half + 1

    @property
    def shape(self) -> tuple[int, ...]:
        return (*[self.side] * (self.dims - 1), self.half + 1)

    @property
    def points(self) -> int:
        """Number of stored points."""
        return math.prod(self.shape)

    @property
    def squared_limit(self) -> float:
        """|L|² beyond which slices are 0 and nothing is added: (padding · r_max)², the rim included."""
        return (self.padding * self.r_max) ** 2 * _RIM

    @property
    def oversampling(self) -> float:
        """Lattice points per point of an unpadded transform: padding**dims."""
        return float(self.padding**self.dims)

    def squared_radius(self, device: Device = None) -> Tensor:
        """|v|² of every stored point in lattice units, int64, `shape`."""
        axis = torch.arange(-self.half, self.half + 1, device=device).square()
        total = axis[self.half :]
        for _ in range(self.dims - 1):
            total = axis.reshape(-1, *[1] * total.ndim) + total
        return total

    def slabs(self, device: Device = None) -> Iterator[tuple[slice, Tensor]]:
        """(rows of the first axis, |v|² of their points as int64) in pieces of a few million points.

        Lattices of large boxes have 10⁸ points; nothing but the sums themselves should be that long.
        """
        axis = torch.arange(-self.half, self.half + 1, device=device).square()
        plane = axis[self.half :]
        if self.dims == 3:
            plane = axis[:, None] + plane
        step = max(1, _SLAB_POINTS // plane.numel())
        for start in range(0, self.side, step):
            rows = slice(start, min(self.side, start + step))
            yield rows, axis[rows].reshape(-1, *[1] * plane.ndim) + plane

    def slab(self, values: Tensor, rows: slice) -> Tensor:
        """A view of rows of the first axis of lattices (..., *shape)."""
        return values.narrow(-self.dims, rows.start, rows.stop - rows.start)

    @property
    def largest_squared_radius(self) -> int:
        return self.dims * self.half**2

    def sums_by_squared_radius(self, values: Tensor) -> Tensor:
        """Sums of real values (..., *shape) over points of equal |v|², float64; (..., largest + 1).

        There are far fewer such radii than points: shells are best summed from these.
        """
        many = values.reshape(-1, *self.shape)
        total = values.new_zeros((len(many), self.largest_squared_radius + 1), dtype=torch.float64)
        for rows, squared in self.slabs(values.device):
            total.index_add_(1, squared.flatten(), many[:, rows].flatten(1).double())
        return total.reshape(*values.shape[: -self.dims], -1)

    def points_by_squared_radius(self, device: Device = None) -> Tensor:
        """Number of points of each |v|², float64; (largest_squared_radius + 1,)."""
        length = self.largest_squared_radius + 1
        total = torch.zeros(length, dtype=torch.float64, device=device)
        for _, squared in self.slabs(device):
            total += torch.bincount(squared.flatten(), minlength=length)
        return total

    def shell_of(self, squared_radius: Tensor) -> Tensor:
        """round(|v|/padding) of points given by |v|², int64."""
        return torch.floor(squared_radius.double().sqrt() / self.padding + 0.5).long()

    def shells(self, device: Device = None) -> Tensor:
        """round(|v|/padding) of every stored point, int64, `shape`."""
        return self.shell_of(self.squared_radius(device))

    def inside(self, device: Device = None) -> Tensor:
        """True where |v| <= padding · r_max."""
        return self.squared_radius(device) <= (self.padding * self.r_max) ** 2 * (1 + 1e-9)


def padded_size(size: int, padding: float) -> int:
    """Side of a padded box: padding · size rounded to an even number."""
    return 2 * math.floor(size * padding / 2 + 0.5)


def to_lattice(spectra: Tensor, lattice: Lattice) -> Tensor:
    """FFT-ordered half transforms (..., M, M//2+1) as centred (..., *lattice.shape), 0 beyond Nyquist."""
    side = int(spectra.shape[-2])
    frequencies = torch.arange(-lattice.half, lattice.half + 1, device=spectra.device)
    known = frequencies.abs() <= side // 2
    result = spectra[..., : lattice.half + 1]
    missing = lattice.half + 1 - result.shape[-1]
    if missing > 0:
        result = torch.nn.functional.pad(result, [0, missing])
    for axis in range(-lattice.dims, -1):
        result = result.index_select(axis, frequencies % side)
        if not bool(known.all()):
            result = result * known.reshape(-1, *[1] * (-axis - 1))
    return result


def from_lattice(values: Tensor, lattice: Lattice, side: int) -> Tensor:
    """The reverse of `to_lattice`: (..., side, side//2+1), zero where the lattice has no points."""
    dims = lattice.dims
    # -side/2 and +side/2 are one frequency; the stored row is the positive one.
    reach = min(lattice.half, side // 2)
    frequencies = torch.arange(max(-reach, -((side - 1) // 2)), reach + 1, device=values.device)
    read, write = frequencies + lattice.half, frequencies % side
    result = values.new_zeros((*values.shape[:-dims], *[side] * (dims - 1), side // 2 + 1))
    if dims == 2:
        result[..., write, : reach + 1] = values[..., read, : reach + 1]
    else:
        part = values.index_select(-3, read).index_select(-2, read)[..., : reach + 1]
        result[..., write[:, None], write, : reach + 1] = part
    return result


def apply_centre_signs(values: Tensor, lattice: Lattice) -> None:
    """Multiply values (*shape) by (-1)**(x+y(+z)) in place: the phase origin moves to the box centre."""
    axis = torch.arange(-lattice.half, lattice.half + 1, device=values.device)
    signs = (1 - 2 * (axis & 1)).to(values.real.dtype)
    values *= signs[lattice.half :]
    for number in range(1, lattice.dims):
        values *= signs.reshape(-1, *[1] * number)
