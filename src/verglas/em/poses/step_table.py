"""Steps of slices in the lattice for orientations of the common grid, made on a device when they are needed.

An orientation A = F · R(psi) · D · T, with F the frame of an optics group, D its direction and T the
perturbation, has A⁻¹ = (D T)ᵀ · (F R(psi))⁻¹, so that two small tables give every slice of a grid that would
never fit into memory as a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.poses.grid import OrientationGrid
from verglas.geometry.euler import euler_matrices


@dataclass(frozen=True)
class StepTable:
    """Tables of the directions and of the angles in the plane, fine ones by parent and child."""

    planes: Tensor  # (D, c, 3, 2): x and y axes of the slice at psi 0
    turns: Tensor  # (n_psi, q, 2, 2): columns are the steps along x and y in that plane
    n_psi: int

    @classmethod
    def coarse(cls, grid: OrientationGrid, frame: Tensor, padding: float, like: Tensor) -> StepTable:
        """Of the coarse orientations; `frame` (3, 3) as of `SliceMaker.frame`; type and device of `like`."""
        return cls._of(grid, grid.directions_deg[:, None], grid.psi_deg[:, None], frame, padding, like)

    @classmethod
    def fine(cls, grid: OrientationGrid, frame: Tensor, padding: float, like: Tensor) -> StepTable:
        """Of the orientations inside of them, numbered number * children + child."""
        directions, psi = grid.fine_parts
        return cls._of(grid, directions, psi, frame, padding, like)

    @classmethod
    def _of(
        cls,
        grid: OrientationGrid,
        rot_tilt_deg: Tensor,
        psi_deg: Tensor,
        frame: Tensor,
        padding: float,
        like: Tensor,
    ) -> StepTable:
        zeros = torch.zeros_like(rot_tilt_deg[..., :1])
        turned = euler_matrices(torch.cat([rot_tilt_deg, zeros], -1)) @ grid.perturbation_matrix
        planes = turned.mT[..., :2]  # (D T)ᵀ
        flat = torch.zeros((*psi_deg.shape, 3), dtype=torch.float64)
        flat[..., 2] = psi_deg
        in_plane = (frame @ euler_matrices(flat))[..., :2, :2]
        steps = torch.linalg.inv(in_plane) * padding
        planes, steps = (part.to(like.device, like.dtype).contiguous() for part in (planes, steps))
        return cls(planes, steps, grid.n_psi)

    def __call__(self, numbers: Tensor) -> Tensor:
        """Steps (..., 2, 3) of orientations (...): [along x, along y], each (x, y, z)."""
        c, q = self.planes.shape[1], self.turns.shape[1]
        parent, child = numbers // (c * q), numbers % (c * q)
        planes = self.planes[parent // self.n_psi, child // q]
        return (planes @ self.turns[parent % self.n_psi, child % q]).mT
