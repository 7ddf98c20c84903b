"""References on a lattice with a copy in half precision that the matrix units of a GPU read (refinement.md §11.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier.lattice import Lattice

PACKED_SHARE = 0.35  # of the free memory of a device that packed references may take
HALF_TOP = 2.0**14  # the largest value of a half-precision operand: room above and 2^28 below


@dataclass(frozen=True, eq=False)
class Volume:
    """K references on a lattice, and a copy for the matrix units of a GPU where there is one.

    `packed` (K, *lattice.shape, corners) int32: the values at the corners of the cell that begins at every
    point, times `scale`, each a pair of half-precision numbers, real part in the lower bits. Order of the
    corners: x fastest, then y, then z. With eight a slice value takes one sector of memory, with four (one
    plane) two.
    """

    lattice: Lattice
    values: Tensor  # (K, *lattice.shape) complex
    scale: float = 1.0
    packed: Tensor | None = None

    @property
    def corners(self) -> int:
        """How many values of its cell a packed point holds; 0 if there is no packed copy."""
        return 0 if self.packed is None else self.packed.shape[-1]


def pack_volume(values: Tensor, lattice: Lattice, corners: int = 8) -> Volume:
    """The references (K, *lattice.shape) complex, with a half-precision copy of 4 or 8 corners a point.

    A lattice too large for 32-bit positions goes without a copy.
    """
    if lattice.dims != 3 or tuple(values.shape[1:]) != lattice.shape:
        raise ValueError(f"expected lattices (K, {lattice.shape}), got {tuple(values.shape)}")
    if corners not in (4, 8):
        raise ValueError(f"a packed point holds 4 or 8 corners of its cell, got {corners}")
    plain = scaled_volume(values, lattice)
    if lattice.points * corners >= 1 << 31:
        return plain
    packed = torch.zeros((*values.shape, corners), dtype=torch.int32, device=values.device)
    for source, target in zip(values, packed):
        halves = torch.view_as_real(source).mul(plain.scale).to(torch.float16)
        pairs = halves.view(torch.int32)[..., 0]
        for corner in range(corners):
            z, y, x = corner >> 2, corner >> 1 & 1, corner & 1
            there = pairs[z:, y:, x:]
            nz, ny, nx = there.shape
            target[:nz, :ny, :nx, corner] = there
    return Volume(lattice, values, plain.scale, packed)


def fitting_volume(values: Tensor, lattice: Lattice) -> Volume:
    """The packed references with as many corners a point as a part of the device's free memory holds."""
    free = torch.cuda.mem_get_info(values.device)[0] if values.device.type == "cuda" else 0
    for corners in (8, 4):
        if 4 * corners * values.numel() <= PACKED_SHARE * free:
            return pack_volume(values, lattice, corners)
    return scaled_volume(values, lattice)


def scaled_volume(values: Tensor, lattice: Lattice) -> Volume:
    """The references as they are, with the factor that brings their slices into half precision's range."""
    top = float(torch.linalg.vector_norm(torch.view_as_real(values), torch.inf))
    return Volume(lattice, values, HALF_TOP / top if top > 0 else 1.0)
