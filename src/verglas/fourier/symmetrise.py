"""Adding rotated copies of a lattice to itself (refinement.md §3.2)."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from verglas.fourier.lattice import Lattice
from verglas.fourier.threads import run_ranges

_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


def add_rotated(
    data: Tensor, weight: Tensor, from_data: Tensor, from_weight: Tensor, lattice: Lattice, operator: Tensor
) -> None:
    """For every point v with |v| <= padding · r_max add the values found at R v, by trilinear interpolation.

    All of shape lattice.shape; `data` and `weight` are changed and must not share memory with the others.
    """
    if data.device.type == "cpu":
        _add_on_cpu(data, weight, from_data, from_weight, lattice, operator)
    else:
        _add_with_torch(data, weight, from_data, from_weight, lattice, operator)


def _add_on_cpu(
    data: Tensor, weight: Tensor, from_data: Tensor, from_weight: Tensor, lattice: Lattice, operator: Tensor
) -> None:
    arrays = [torch.view_as_real(data).numpy(), weight.numpy()]
    arrays += [torch.view_as_real(from_data).numpy(), from_weight.numpy()]
    matrix, limit = operator.double().cpu().numpy(), (lattice.padding * lattice.r_max) ** 2

    def kernel(first: int, last: int) -> None:
        _rotate_planes(*arrays, matrix, lattice.half, limit, first, last)

    run_ranges(kernel, lattice.side, least=8)


@numba.njit(**_options)
def _rotate_planes(  # type: ignore[no-untyped-def]
    data, weight, from_data, from_weight, r, half, limit, first, last
):
    """Planes first..last-1 along z; data (Z, Y, X, 2), weight (Z, Y, X)."""
    for iz in range(first, last):
        z = iz - half
        for iy in range(data.shape[1]):
            y = iy - half
            for x in range(data.shape[2]):
                if x * x + y * y + z * z > limit:
                    continue
                px = r[0, 0] * x + r[0, 1] * y + r[0, 2] * z
                py = r[1, 0] * x + r[1, 1] * y + r[1, 2] * z
                pz = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z
                sign = 1.0
                if px < 0:
                    px, py, pz, sign = -px, -py, -pz, -1.0
                cx, cy, cz = np.floor(px), np.floor(py), np.floor(pz)
                fx, fy, fz = px - cx, py - cy, pz - cz
                jx, jy, jz = int(cx), int(cy) + half, int(cz) + half
                re, im, total = 0.0, 0.0, 0.0
                for dz in range(2):
                    wz = fz if dz else 1.0 - fz
                    for dy in range(2):
                        wy = wz * (fy if dy else 1.0 - fy)
                        for dx in range(2):
                            w = wy * (fx if dx else 1.0 - fx)
                            re += w * from_data[jz + dz, jy + dy, jx + dx, 0]
                            im += w * from_data[jz + dz, jy + dy, jx + dx, 1]
                            total += w * from_weight[jz + dz, jy + dy, jx + dx]
                data[iz, iy, x, 0] += re
                data[iz, iy, x, 1] += sign * im
                weight[iz, iy, x] += total


def _add_with_torch(
    data: Tensor, weight: Tensor, from_data: Tensor, from_weight: Tensor, lattice: Lattice, operator: Tensor
) -> None:
    matrix, half = operator.double().to(data.device), lattice.half
    limit = (lattice.padding * lattice.r_max) ** 2
    axis = torch.arange(-half, half + 1, device=data.device)
    flat_data, flat_weight = from_data.reshape(-1), from_weight.reshape(-1)
    for rows, squared in lattice.slabs(data.device):
        z, y, x = (n.flatten() for n in torch.meshgrid(axis[rows], axis, axis[half:], indexing="ij"))
        keep = (squared.flatten() <= limit).nonzero().flatten()
        points = matrix @ torch.stack([x[keep], y[keep], z[keep]]).double()
        mirrored = points[0] < 0
        points = torch.where(mirrored, -points, points)
        cell = points.floor()
        fraction, base = points - cell, cell.long()
        re_im = torch.zeros(len(keep), dtype=data.dtype, device=data.device)
        total = torch.zeros(len(keep), dtype=weight.dtype, device=data.device)
        for corner in range(8):
            steps = [corner & 1, corner >> 1 & 1, corner >> 2]
            w = torch.ones_like(total)
            for n, step in enumerate(steps):
                w = w * (fraction[n] if step else 1 - fraction[n]).to(w.dtype)
            line = (base[2] + half + steps[2]) * lattice.side + base[1] + half + steps[1]
            index = line * (half + 1) + base[0] + steps[0]
            re_im += w * flat_data[index]
            total += w * flat_weight[index]
        data[rows].view(-1).index_add_(0, keep, torch.where(mirrored, re_im.conj(), re_im))
        weight[rows].view(-1).index_add_(0, keep, total)
