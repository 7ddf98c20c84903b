"""Integer frequency grids of half transforms: indices, shells, half plane, signs (refinement.md §1.1-1.3)."""

from __future__ import annotations

import torch
from torch import Tensor

Device = torch.device | str | None


def row_indices(size: int, device: Device = None) -> Tensor:
    """Frequencies of the rows of a half transform (size,): 0..N//2, then negative. Nyquist is +N/2."""
    rows = torch.arange(size, device=device)
    return torch.where(rows <= size // 2, rows, rows - size)


def index_grid(size: int, dims: int = 2, device: Device = None) -> Tensor:
    """Integer frequencies (y, x) or (z, y, x), int64; (N, N//2+1, 2) or (N, N, N//2+1, 3)."""
    axes = [row_indices(size, device)] * (dims - 1) + [torch.arange(size // 2 + 1, device=device)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def frequency_grid(
    size: int,
    pixel_size_angst: float = 1.0,
    *,
    full_size: int | None = None,
    dims: int = 2,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Tensor:
    """Frequencies (y, x) in 1/Å of a half transform, (N, N//2+1, 2): index / (full_size * pixel size).

    `full_size` is the box of the image where the transform was cropped to `size`; by default `size` itself.
    """
    scale = 1.0 / ((full_size or size) * pixel_size_angst)
    return (index_grid(size, dims, device).double() * scale).to(dtype)


def squared_radius(size: int, dims: int = 2, device: Device = None) -> Tensor:
    """r² of every stored frequency, int64; (N, N//2+1) or (N, N, N//2+1)."""
    return index_grid(size, dims, device).square().sum(-1)


def shell_indices(size: int, dims: int = 2, device: Device = None) -> Tensor:
    """round(r) of every stored frequency, int64. No r lies exactly between two shells."""
    return squared_radius(size, dims, device).double().sqrt().round().long()


def half_plane(size: int, dims: int = 2, device: Device = None) -> Tensor:
    """True for frequencies that count in half-plane sums: x > 0, or x = 0 and y >= 0 (3D: the same, any z).

    In 3D the x = 0 plane keeps z > 0, or z = 0 and y >= 0, so that each pair counts once.
    """
    grid = index_grid(size, dims, device)
    on_plane, y = grid[..., -1] == 0, grid[..., -2]
    keep = y >= 0
    if dims == 3:
        z = grid[..., 0]
        keep = (z > 0) | ((z == 0) & keep)
    return ~on_plane | keep


def used_shells(size: int, device: Device = None) -> Tensor:
    """Shell of each pixel (N, N//2+1) of the half plane; -1 outside it and beyond shell N//2."""
    shells = shell_indices(size, device=device)
    return torch.where(half_plane(size, device=device) & (shells <= size // 2), shells, -1)


def shell_sums(values: Tensor, shells: Tensor, n_shells: int) -> Tensor:
    """Sums of values (..., *grid) over each shell; (..., n_shells). Other shells are left out."""
    inside = ((shells >= 0) & (shells < n_shells)).flatten()
    flat = values.flatten(values.ndim - shells.ndim)[..., inside]
    sums = flat.new_zeros((*flat.shape[:-1], n_shells))
    return sums.index_add_(-1, shells.flatten()[inside], flat)


def shell_counts(shells: Tensor, n_shells: int) -> Tensor:
    """Number of grid points per shell, (n_shells,) float64."""
    return shell_sums(torch.ones(shells.shape, dtype=torch.float64, device=shells.device), shells, n_shells)


def centre_signs(
    size: int, dims: int = 2, dtype: torch.dtype = torch.float32, device: Device = None
) -> Tensor:
    """(-1)**(x+y(+z)): moves the phase origin between the corner and pixel N/2; its own inverse."""
    parity = index_grid(size, dims, device).sum(-1) & 1
    return 1 - 2 * parity.to(dtype)
