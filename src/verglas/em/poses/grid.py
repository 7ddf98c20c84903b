"""Grids of poses and the sets that particles are searched over (refinement.md §2.3, §2.4).

One grid of orientations, direction × psi, is common to all particles of an iteration; a pose set is the part of it
that some particles are searched over: all of it, or the neighbourhoods of their last orientations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from verglas.em.state.sampling import Sampling
from verglas.geometry.euler import euler_angles, euler_matrices
from verglas.geometry.healpix import children, pixel_directions
from verglas.geometry.symmetry import PointGroup


@dataclass(frozen=True)
class OrientationGrid:
    """Coarse orientations by number, direction * n_psi + psi, and the fine ones inside each.

    `pixels` (D,): HEALPix pixels to search; one direction, with angles 0, in 2D.
    """

    sampling: Sampling
    pixels: Tensor

    @classmethod
    def of(cls, sampling: Sampling) -> OrientationGrid:
        """The grid of a sampling: in 3D the asymmetric unit of its point group."""
        if sampling.dims == 2:
            return cls(sampling, torch.zeros(1, dtype=torch.int64))
        return cls(sampling, directions(sampling))

    @property
    def n_directions(self) -> int:
        return int(self.pixels.numel())

    @property
    def n_psi(self) -> int:
        return self.sampling.n_psi

    def __len__(self) -> int:
        return self.n_directions * self.n_psi

    @cached_property
    def directions_deg(self) -> Tensor:
        """(rot, tilt) of the directions (D, 2), not perturbed."""
        return self._directions(0)[:, 0]

    @cached_property
    def psi_deg(self) -> Tensor:
        """The angles in the plane (n_psi,), not perturbed."""
        return torch.arange(self.n_psi, dtype=torch.float64) * (360.0 / self.n_psi)

    def coarse(self, numbers: Tensor) -> Tensor:
        """Angles (n, 3) of coarse orientations, as they are searched."""
        rot_tilt, psi = (self.directions_deg[numbers // self.n_psi], self.psi_deg[numbers % self.n_psi])
        return self._perturbed(torch.cat([rot_tilt, psi[:, None]], 1))

    def fine(self, numbers: Tensor, child: Tensor) -> Tensor:
        """Angles (n, 3) of children (n,) of coarse orientations (n,)."""
        turns, angles = self._fine_directions, self._fine_psi
        n_psi = angles.shape[1]
        rot_tilt = turns[numbers // self.n_psi, child // n_psi]
        psi = angles[numbers % self.n_psi, child % n_psi]
        return self._perturbed(torch.cat([rot_tilt, psi[:, None]], 1))

    @property
    def children(self) -> int:
        """Fine orientations per coarse one."""
        return int(2 ** (self.sampling.oversampling * (1 if self.sampling.dims == 2 else 3)))

    @property
    def fine_parts(self) -> tuple[Tensor, Tensor]:
        """(rot, tilt) (D, c, 2) and psi (n_psi, q) inside of each coarse one, not perturbed."""
        return self._fine_directions, self._fine_psi

    @property
    def perturbation_matrix(self) -> Tensor:
        """A(a, a, a), which orientations of a 3D grid are multiplied by from the right."""
        sampling = self.sampling
        return euler_matrices([sampling.perturbation * sampling.angular_step_deg] * 3)

    @cached_property
    def _fine_directions(self) -> Tensor:
        return self._directions(self.sampling.oversampling)

    @cached_property
    def _fine_psi(self) -> Tensor:
        step = 360.0 / self.n_psi
        return self.psi_deg[:, None] + _child_offsets(step, self.sampling.oversampling)

    def _directions(self, levels: int) -> Tensor:
        """(rot, tilt) of the pixels `levels` orders finer, (D, 4^levels, 2)."""
        if self.sampling.dims == 2:
            return torch.zeros((1, 1, 2), dtype=torch.float64)
        order = self.sampling.healpix_order
        return pixel_directions(children(self.pixels, levels), order + levels)

    def _perturbed(self, angles_deg: Tensor) -> Tensor:
        """A(rot, tilt, psi) · A(a, a, a), as angles (refinement.md §2.3); in 2D psi + a."""
        sampling = self.sampling
        if sampling.dims == 2:
            move = sampling.perturbation * 360.0 / sampling.n_psi
            return angles_deg + torch.tensor([0.0, 0.0, move], dtype=torch.float64)
        if sampling.perturbation == 0:
            return angles_deg
        return euler_angles(euler_matrices(angles_deg) @ self.perturbation_matrix)


@dataclass(frozen=True)
class PoseSet:
    """The poses that some particles are searched over: orientations of the common grid, and translations.

    Angles (rot, tilt, psi) in degrees and translations (y, x) in Å, float64, perturbation included. A fine
    orientation is numbered parent * children + child, the parent by its place among `numbers`.
    """

    grid: OrientationGrid
    chosen: Tensor | None  # (O,) of the common grid; None: all of them, which may be too many for a list
    coarse_shifts_angst: Tensor  # (T, 2)
    fine_shifts_angst: Tensor  # (T * 4^o, 2), children of one parent adjacent
    prior_shifts_angst: Tensor  # (T, 2): without the perturbation

    @classmethod
    def of(cls, grid: OrientationGrid) -> PoseSet:
        """All orientations of a grid, with its sampling's translations."""
        sampling = grid.sampling
        shifts = translations(sampling.offset_range_angst, sampling.offset_step_angst)
        move = sampling.perturbation * sampling.offset_step_angst
        fine = _shift_children(shifts, sampling) + move
        return cls(grid, None, shifts + move, fine, shifts)

    def part(self, numbers: Tensor) -> PoseSet:
        """The same with other orientations of the common grid."""
        return replace(self, chosen=numbers)

    @cached_property
    def numbers(self) -> Tensor:
        """Which orientations of the common grid these are, (O,)."""
        return torch.arange(len(self.grid)) if self.chosen is None else self.chosen

    @property
    def is_whole(self) -> bool:
        """Whether these are all orientations of the grid, in its order."""
        return self.chosen is None

    @cached_property
    def coarse_angles_deg(self) -> Tensor:
        """Angles (O, 3)."""
        return self.grid.coarse(self.numbers)

    def fine_angles_deg(self, fine: Tensor | None = None) -> Tensor:
        """Angles (n, 3) of fine orientations (n,), or of all (O * children) of them."""
        fine = torch.arange(self.n_fine) if fine is None else fine
        parents = fine // self.children
        if self.chosen is not None:
            parents = self.chosen[parents]
        return self.grid.fine(parents, fine % self.children)

    @cached_property
    def direction(self) -> Tensor:
        """Direction (O,) of each orientation."""
        return self.numbers // self.grid.n_psi

    @property
    def n_directions(self) -> int:
        """Of the common grid."""
        return self.grid.n_directions

    @property
    def n_orientations(self) -> int:
        return len(self.grid) if self.chosen is None else int(self.chosen.numel())

    @property
    def n_fine(self) -> int:
        return self.n_orientations * self.children

    @property
    def children(self) -> int:
        """Fine orientations per coarse one."""
        return self.grid.children

    @property
    def shift_children(self) -> int:
        return int(self.fine_shifts_angst.shape[0]) // int(self.coarse_shifts_angst.shape[0])


def translations(range_angst: float, step_angst: float) -> Tensor:
    """Points (y, x) of the square grid inside the search circle, (T, 2); x outer, as RELION has it."""
    reach = math.ceil(range_angst / step_angst - 1e-9)
    axis = torch.arange(-reach, reach + 1, dtype=torch.float64) * step_angst
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([y.flatten(), x.flatten()], dim=1)
    return points[points.square().sum(1) < range_angst**2 + 0.001]


def _child_offsets(step: float, oversampling: int) -> Tensor:
    """Positions of the children of one step around their parent."""
    n = 2**oversampling
    if n == 1:
        return torch.zeros(1, dtype=torch.float64)
    return -step / 2 + (torch.arange(n, dtype=torch.float64) + 0.5) * step / n


def _shift_children(shifts: Tensor, sampling: Sampling) -> Tensor:
    offsets = _child_offsets(sampling.offset_step_angst, sampling.oversampling)
    x, y = torch.meshgrid(offsets, offsets, indexing="ij")
    square = torch.stack([y.flatten(), x.flatten()], dim=1)
    return (shifts[:, None] + square).reshape(-1, 2)


def directions(sampling: Sampling) -> Tensor:
    """HEALPix pixels to search: the asymmetric unit of the point group, within the limit of tilt (§2.4)."""
    pixels = PointGroup.of(sampling.symmetry).asymmetric_pixels(sampling.healpix_order)
    limit = sampling.limit_tilt_deg
    if abs(limit) > 90:
        return pixels
    tilt = pixel_directions(pixels, sampling.healpix_order)[:, 1]
    from_equator = (tilt - 90).abs()
    return pixels[from_equator <= 90 - limit] if limit > 0 else pixels[from_equator >= 90 + limit]
