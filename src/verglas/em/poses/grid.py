"""The grid of poses: directions, in-plane angles, translations, coarse and fine (refinement.md §2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.state.settings import EmSettings
from verglas.geometry.euler import euler_angles, euler_matrices
from verglas.geometry.healpix import children, pixel_directions
from verglas.geometry.symmetry import PointGroup

DIRECTION_STEP_DEG = 360.0 / 6  # of order 0


@dataclass(frozen=True)
class Steps:
    """What the user asked for, while the steps in use may be others."""

    healpix_order: int
    psi_step_deg: float
    offset_range_angst: float
    offset_step_angst: float


@dataclass(frozen=True)
class Sampling:
    """Steps of the coarse grid and the state of its random perturbation; lengths in Å."""

    dims: int
    oversampling: int
    psi_step_deg: float
    offset_range_angst: float
    offset_step_angst: float
    healpix_order: int = 2
    symmetry: str = "C1"
    limit_tilt_deg: float = -91.0
    perturb: float = 0.5
    perturbation: float = 0.0  # in [-perturb, perturb]
    asked: Steps | None = None  # None: the steps in use

    @property
    def original(self) -> Steps:
        """The steps the user asked for."""
        return self.asked or Steps(
            self.healpix_order, self.psi_step_deg, self.offset_range_angst, self.offset_step_angst
        )

    def as_asked(self) -> Sampling:
        """The sampling with the steps the user asked for."""
        asked = self.original
        return replace(
            self, healpix_order=asked.healpix_order, psi_step_deg=asked.psi_step_deg,
            offset_range_angst=asked.offset_range_angst, offset_step_angst=asked.offset_step_angst,
            asked=asked,
        )  # fmt: skip

    @classmethod
    def of(cls, settings: EmSettings, pixel_size_angst: float) -> Sampling:
        """The sampling a run starts with."""
        direction_step = DIRECTION_STEP_DEG / 2**settings.healpix_order
        default_step = 10.0 if settings.dims == 2 else direction_step
        fixed = settings.skip_align or settings.skip_rotate
        return cls(
            dims=settings.dims,
            oversampling=0 if settings.skip_align else settings.oversampling,
            psi_step_deg=settings.psi_step_deg if settings.psi_step_deg > 0 else default_step,
            offset_range_angst=settings.offset_range_px * pixel_size_angst,
            offset_step_angst=settings.offset_step_px * pixel_size_angst,
            healpix_order=settings.healpix_order,
            symmetry=settings.symmetry,
            limit_tilt_deg=settings.limit_tilt_deg,
            perturb=0.0 if fixed else settings.perturb,
        )

    def perturbed(self, rng: np.random.Generator) -> Sampling:
        """The sampling of the next iteration: the same grid, moved by a new random fraction of a step."""
        if self.perturb <= 0:
            return self
        moved = self.perturbation + rng.uniform(0.5 * self.perturb, self.perturb)
        if moved > self.perturb:
            moved -= 2 * self.perturb
        return replace(self, perturbation=moved)

    @property
    def angular_step_deg(self) -> float:
        """The coarse step that decides how much detail the first pass can tell apart."""
        if self.dims == 2:
            return 360.0 / self.n_psi
        return DIRECTION_STEP_DEG / 2**self.healpix_order

    @property
    def n_psi(self) -> int:
        return math.ceil(360.0 / self.psi_step_deg - 1e-9)

    @property
    def fine_angular_step_deg(self) -> float:
        return self.angular_step_deg / 2**self.oversampling

    @property
    def fine_offset_step_angst(self) -> float:
        return self.offset_step_angst / 2**self.oversampling


@dataclass(frozen=True)
class PoseGrid:
    """All poses of one iteration. Orientation index = direction * n_psi + psi.

    Angles (rot, tilt, psi) in degrees and translations (y, x) in Å, float64, perturbation included.
    """

    coarse_angles_deg: Tensor  # (O, 3)
    fine_angles_deg: Tensor  # (O * children, 3), children of one parent adjacent
    coarse_shifts_angst: Tensor  # (T, 2)
    fine_shifts_angst: Tensor  # (T * 4^o, 2), children of one parent adjacent
    prior_shifts_angst: Tensor  # (T, 2): without the perturbation
    direction: Tensor  # (O,) direction of each coarse orientation
    n_directions: int

    @property
    def n_orientations(self) -> int:
        return int(self.coarse_angles_deg.shape[0])

    @property
    def children(self) -> int:
        """Fine orientations per coarse one."""
        return int(self.fine_angles_deg.shape[0]) // self.n_orientations

    @property
    def shift_children(self) -> int:
        return int(self.fine_shifts_angst.shape[0]) // int(self.coarse_shifts_angst.shape[0])


def pose_grid(sampling: Sampling, pixels: Tensor | None = None) -> PoseGrid:
    """The grid of a sampling. `pixels` (D,): HEALPix pixels of the asymmetric unit (3D only)."""
    shifts = translations(sampling.offset_range_angst, sampling.offset_step_angst)
    fine_shifts = _shift_children(shifts, sampling)
    move = sampling.perturbation * sampling.offset_step_angst
    n_psi = sampling.n_psi
    if sampling.dims == 2:
        coarse, fine, n_directions = *_angles_2d(sampling), 1
    else:
        if pixels is None:
            raise ValueError("a 3D grid needs its directions")
        coarse, fine = _angles_3d(sampling, pixels)
        n_directions = int(pixels.numel())
    direction = torch.arange(n_directions).repeat_interleave(n_psi)
    return PoseGrid(
        coarse, fine, shifts + move, fine_shifts + move, shifts, direction, n_directions
    )


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


def _psi_angles(sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Coarse (n,) and fine (n, 2^o) in-plane angles."""
    step = 360.0 / sampling.n_psi
    coarse = torch.arange(sampling.n_psi, dtype=torch.float64) * step
    return coarse, coarse[:, None] + _child_offsets(step, sampling.oversampling)


def _angles_2d(sampling: Sampling) -> tuple[Tensor, Tensor]:
    coarse, fine = _psi_angles(sampling)
    move = sampling.perturbation * 360.0 / sampling.n_psi

    def triples(psi: Tensor) -> Tensor:
        flat = psi.flatten() + move
        return torch.stack([torch.zeros_like(flat), torch.zeros_like(flat), flat], dim=1)

    return triples(coarse), triples(fine)


def _angles_3d(sampling: Sampling, pixels: Tensor) -> tuple[Tensor, Tensor]:
    order, more = sampling.healpix_order, sampling.oversampling
    psi, fine_psi = _psi_angles(sampling)
    coarse = _outer(pixel_directions(pixels, order), psi)
    fine = _children_outer(pixel_directions(children(pixels, more), order + more), fine_psi)
    move = sampling.perturbation * sampling.angular_step_deg
    return _turned(coarse, move), _turned(fine, move)


def _outer(directions_deg: Tensor, psi: Tensor) -> Tensor:
    n, m = len(directions_deg), len(psi)
    both = directions_deg[:, None].expand(n, m, 2)
    return torch.cat([both, psi[None, :, None].expand(n, m, 1)], dim=-1).reshape(-1, 3)


def _children_outer(directions_deg: Tensor, fine_psi: Tensor) -> Tensor:
    """(D, c, 2) child directions and (n, q) child psis as (D * n * c * q, 3)."""
    d, c, _ = directions_deg.shape
    n, q = fine_psi.shape
    view = directions_deg[:, None, :, None].expand(d, n, c, q, 2)
    psi = fine_psi[None, :, None, :, None].expand(d, n, c, q, 1)
    return torch.cat([view, psi], dim=-1).reshape(-1, 3)


def _turned(angles_deg: Tensor, move_deg: float) -> Tensor:
    """A(rot, tilt, psi) · A(a, a, a), as angles (refinement.md §2.3)."""
    if move_deg == 0:
        return angles_deg
    turn = euler_matrices([move_deg] * 3)
    return euler_angles(euler_matrices(angles_deg) @ turn)


def directions(sampling: Sampling) -> Tensor:
    """HEALPix pixels to search: the asymmetric unit of the point group, within the limit of tilt (§2.4)."""
    pixels = PointGroup.of(sampling.symmetry).asymmetric_pixels(sampling.healpix_order)
    limit = sampling.limit_tilt_deg
    if abs(limit) > 90:
        return pixels
    tilt = pixel_directions(pixels, sampling.healpix_order)[:, 1]
    from_equator = (tilt - 90).abs()
    return pixels[from_equator <= 90 - limit] if limit > 0 else pixels[from_equator >= 90 + limit]
