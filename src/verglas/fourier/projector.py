"""Central slices of reference maps (refinement.md §1.13)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier.grid import shell_sums
from verglas.fourier.gridding import gridding_correction, pad_box
from verglas.fourier.lattice import Lattice, apply_centre_signs, padded_size, to_lattice
from verglas.fourier.pixels import disc
from verglas.fourier.slicing import read_slices
from verglas.fourier.transforms import forward


@dataclass(frozen=True, eq=False)
class Projector:
    """Transforms of K references on one lattice, ready to be sliced.

    `power` (K, N/2+1) float64 is the shell average of ½|F|², the τ² of runs without half sets, 0 beyond
    r_max.
    """

    lattice: Lattice
    values: Tensor  # (K, *lattice.shape) complex
    power: Tensor

    @classmethod
    def of(
        cls,
        maps: Tensor,
        current_size: int | None = None,
        *,
        padding: float = 2,
        dims: int = 3,
        correct_gridding: bool = True,
    ) -> Projector:
        """Of maps (K, N, N, N) (or (N, N, N); one axis less with `dims` = 2), up to current_size/2.

        Slices then equal the normalised, centred transforms of the projections.
        """
        if maps.ndim == dims:
            maps = maps[None]
        size = int(maps.shape[-1])
        if maps.ndim != dims + 1 or any(n != size for n in maps.shape[1:]):
            raise ValueError(f"need {dims}D maps with equal sides, got shape {tuple(maps.shape)}")
        side = padded_size(size, padding)
        padding = side / size
        r_max = min(current_size or size, size) // 2
        lattice = Lattice(dims, r_max, padding)
        correction = gridding_correction(size, dims, padding, maps.device).to(maps.dtype)
        if dims == 2:  # images are small: all at once
            values = _transform(maps / correction if correct_gridding else maps, side, lattice, size)
        else:
            values = torch.stack(
                [_transform(m / correction if correct_gridding else m, side, lattice, size) for m in maps]
            )
        return cls(lattice, values, _power(values, lattice, size // 2 + 1))

    def slices(self, matrices: Tensor, size: int | None = None, classes: Tensor | None = None) -> Tensor:
        """Half transforms (n, size, size//2+1) for matrices A (n, 3, 3), phase origin in the box centre.

        `classes` (n,) picks the reference of each slice. Pixels beyond r = size/2 or r_max are 0.
        """
        pixels = disc(size or 2 * self.lattice.r_max)
        return pixels.scatter(self.at(matrices, pixels.indices_yx, classes))

    def at(self, matrices: Tensor, indices_yx: Tensor, classes: Tensor | None = None) -> Tensor:
        """Slice values (n, P) at the given frequencies (P, 2) only."""
        return read_slices(self.values, self.lattice, matrices, indices_yx, classes)


def _transform(image: Tensor, side: int, lattice: Lattice, size: int) -> Tensor:
    """One map, or several along leading axes, on the lattice."""
    dims, padding = lattice.dims, lattice.padding
    factor = padding**2 if dims == 2 else padding**3 * size
    values = to_lattice(forward(pad_box(image, side, dims), dims), lattice)
    apply_centre_signs(values, lattice)
    values *= factor
    return values.mul_(lattice.inside(values.device))


def _power(values: Tensor, lattice: Lattice, n_shells: int) -> Tensor:
    """Shell averages of ½|F|² within r_max, (K, n_shells) float64."""
    squared = torch.arange(lattice.largest_squared_radius + 1, device=values.device)
    inside = squared <= (lattice.padding * lattice.r_max) ** 2 * (1 + 1e-9)
    shells = torch.where(inside, lattice.shell_of(squared), -1)
    counts = shell_sums(lattice.points_by_squared_radius(values.device), shells, n_shells)
    if lattice.dims == 2:  # images are small: all at once
        sums = lattice.sums_by_squared_radius(_squared_modulus(values))
    else:
        sums = torch.stack([lattice.sums_by_squared_radius(_squared_modulus(v)) for v in values])
    return 0.5 * shell_sums(sums, shells, n_shells) / counts.clamp_min(1)


def _squared_modulus(values: Tensor) -> Tensor:
    return values.real.square() + values.imag.square()
