"""Atoms onto a fine grid: every atom spreads over 3 x 3 pixels with a quadratic B-spline.

The spline's own transform (sinc³ along each axis) is divided out afterwards (`projection`): the rest is
exact up to the aliases of the spline: at twice the sampling, 4 % at the Nyquist frequency of the
image, 0.3 % at half of it, before the fall-off of the atoms themselves.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@numba.njit(cache=True, fastmath=True)  # type: ignore[misc,unused-ignore]
def _splat_one(
    atoms: NDArray[np.float32],  # (n, 3) x, y, z
    channel: NDArray[np.int32],  # (n,)
    rows: NDArray[np.float32],  # (2, 4): pixel position = rows[:, :3] v + rows[:, 3], x then y
    grid: NDArray[np.float32],  # (channels, fine, fine), added to
) -> None:
    height, width = grid.shape[1], grid.shape[2]
    for i in range(atoms.shape[0]):
        a, b, c = atoms[i, 0], atoms[i, 1], atoms[i, 2]
        x = rows[0, 0] * a + rows[0, 1] * b + rows[0, 2] * c + rows[0, 3]
        y = rows[1, 0] * a + rows[1, 1] * b + rows[1, 2] * c + rows[1, 3]
        column, row = int(np.floor(x + np.float32(0.5))), int(np.floor(y + np.float32(0.5)))
        if column < 1 or row < 1 or column > width - 2 or row > height - 2:
            continue
        dx, dy = x - np.float32(column), y - np.float32(row)
        left = np.float32(0.5) * (np.float32(0.5) - dx) ** 2
        right = np.float32(0.5) * (np.float32(0.5) + dx) ** 2
        middle = np.float32(1.0) - left - right
        above = np.float32(0.5) * (np.float32(0.5) - dy) ** 2
        below = np.float32(0.5) * (np.float32(0.5) + dy) ** 2
        centre = np.float32(1.0) - above - below
        k = channel[i]
        for step, weight in ((-1, above), (0, centre), (1, below)):
            grid[k, row + step, column - 1] += weight * left
            grid[k, row + step, column] += weight * middle
            grid[k, row + step, column + 1] += weight * right


def splat_on_cpu(atoms: Tensor, channel: Tensor, rows: Tensor, channels: int, fine: int) -> Tensor:
    """Density grids (m, channels, fine, fine) float32 of m views; `rows` is (m, 2, 4), see `_splat_one`."""
    grids = np.zeros((len(rows), channels, fine, fine), np.float32)
    places, kinds = atoms.float().numpy(), channel.int().numpy()
    for index, view in enumerate(rows.float().numpy()):
        _splat_one(places, kinds, view, grids[index])
    return torch.from_numpy(grids)


def splat_on_device(atoms: Tensor, channel: Tensor, rows: Tensor, channels: int, fine: int) -> Tensor:
    """The same by scattered additions on the device of `rows`; the order of additions is not fixed."""
    count = len(rows)
    grid = torch.zeros(count * channels * fine * fine, dtype=torch.float32, device=rows.device)
    place = torch.einsum("mij,nj->min", rows[:, :, :3], atoms) + rows[:, :, 3:]  # (m, 2, n)
    nearest = torch.floor(place + 0.5)
    offset = place - nearest
    column, row = nearest[:, 0].long(), nearest[:, 1].long()
    inside = (column >= 1) & (row >= 1) & (column <= fine - 2) & (row <= fine - 2)
    views = torch.arange(count, device=rows.device)[:, None]
    base = ((views * channels + channel[None]) * fine + row) * fine + column
    base = torch.where(inside, base, fine + 1)
    low, high = 0.5 * (0.5 - offset).square(), 0.5 * (0.5 + offset).square()
    weights = torch.stack([low, 1 - low - high, high]) * inside[:, None]  # (3, m, 2, n)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            index = base + ((i - 1) * fine + (j - 1))
            value = weights[i, :, 1] * weights[j, :, 0]
            grid.scatter_add_(0, index.reshape(-1), value.reshape(-1))
    return grid.reshape(count, channels, fine, fine)
