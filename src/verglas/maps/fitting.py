"""Turning and moving one map onto another.

A coarse search over all rotations on a small, blurred copy (shifts by the peak of the cross-correlation), then
the best few with ever smaller steps, then all six numbers at once on a finer copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import OptimizeResult, minimize
from scipy.spatial.transform import Rotation
from torch import Tensor

from verglas.fourier import rescale
from verglas.geometry import euler_matrices, healpix_directions
from verglas.maps.masks import outside_weight

COARSE_BOX, FINE_BOX = 24, 48
COARSE_ORDER, COARSE_PSI_DEG = 1, 30.0
KEPT = 8  # of the coarse grid, for finer steps
STEPS_DEG = (15.0, 7.5, 3.75, 1.9)
FIRST_STEP_DEG = 1.5  # of the last refinement
_BATCH = 64
Matrix = NDArray[np.float64]
Score = Callable[[Tensor], Tensor]  # rotations (b, 3, 3) -> (b,), high is good


@dataclass(frozen=True, eq=False)
class RigidMove:
    """moved(v) = map(R v + t), voxels (x, y, z) from the middle; and the correlation that it reached."""

    rotation: Matrix  # (3, 3)
    shift_px: NDArray[np.float64]  # (3,)
    correlation: float

    def apply(self, volume: NDArray[np.floating]) -> NDArray[np.float32]:
        """The moved map, cubic in between; 0 comes in."""
        matrix, shift = self.rotation[::-1, ::-1], self.shift_px[::-1]
        centre = np.full(3, float(volume.shape[0] // 2))
        moved = ndimage.affine_transform(
            volume.astype(np.float64), matrix, centre + shift - matrix @ centre, order=3
        )
        return np.asarray(moved, np.float32)


def fit(moving: Tensor, target: Tensor) -> RigidMove:
    """How to move a map so that it lies on another of the same box and pixel size."""
    if moving.shape != target.shape:
        raise ValueError(
            f"maps to fit must have one box, got {tuple(moving.shape)} and {tuple(target.shape)}: "
            "resample one first"
        )
    wanted = _normalised(_small(target, COARSE_BOX))
    spectrum = torch.fft.rfftn(wanted)
    small = _small(moving, COARSE_BOX)

    def score(rotations: Tensor) -> Tensor:
        turned = _normalised(_turned(small, rotations))
        cross = torch.fft.irfftn(
            torch.fft.rfftn(turned, dim=(-3, -2, -1)).conj() * spectrum, s=wanted.shape, dim=(-3, -2, -1)
        )
        return cross.flatten(1).max(1).values

    rotation = _search(score)
    turned = _normalised(_turned(small, torch.from_numpy(rotation)[None]))[0]
    cross = torch.fft.irfftn(torch.fft.rfftn(turned).conj() * spectrum, s=wanted.shape)
    peak = np.array(np.unravel_index(int(cross.argmax()), cross.shape))
    peak = np.where(peak >= COARSE_BOX // 2, peak - COARSE_BOX, peak)[::-1]  # x, y, z: turned must go there
    scale = int(moving.shape[-1]) / COARSE_BOX
    return _refined(moving, target, rotation, -rotation @ peak * scale)


def _search(score: Score) -> Matrix:
    """The best rotation: a grid over all of them, then ever smaller steps about the best few."""
    directions = healpix_directions(COARSE_ORDER)
    psi = torch.arange(0, 360, COARSE_PSI_DEG, dtype=torch.float64)
    grid = torch.cat([directions.repeat_interleave(len(psi), 0), psi.repeat(len(directions))[:, None]], 1)
    matrices = euler_matrices(grid)
    best = matrices[_scores(score, matrices).topk(KEPT).indices]
    axes = np.array([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], float)
    for step in STEPS_DEG:
        turns = torch.from_numpy(Rotation.from_rotvec(np.radians(step / 2) * axes).as_matrix())
        around = (turns[None] @ best[:, None]).flatten(0, 1)
        found = _scores(score, around).reshape(len(best), -1)
        chosen = around.reshape(len(best), len(axes), 3, 3)[torch.arange(len(best)), found.argmax(1)]
        order = found.max(1).values.argsort(descending=True)
        best = chosen[order][: max(2, len(best) // 2)]
    return np.asarray(best[0].numpy())


def _scores(score: Score, matrices: Tensor) -> Tensor:
    return torch.cat([score(part) for part in torch.split(matrices, _BATCH)])


def _refined(moving: Tensor, target: Tensor, rotation: Matrix, shift_px: Matrix) -> RigidMove:
    """All six numbers at once, on copies of up to 48 voxels a side."""
    size = int(moving.shape[-1])
    side = min(FINE_BOX, size)
    scale = size / side
    small, wanted = _small(moving, side), _normalised(_small(target, side))

    def cost(numbers: NDArray[np.float64]) -> float:
        matrix = torch.from_numpy(Rotation.from_rotvec(numbers[:3]).as_matrix() @ rotation)
        turned = _normalised(_turned(small, matrix[None], (shift_px + numbers[3:] * 10 * scale) / scale))
        return -float((turned[0] * wanted).sum())

    found = _least(cost, 6)
    final = Rotation.from_rotvec(found.x[:3]).as_matrix() @ rotation
    return RigidMove(final, shift_px + found.x[3:] * 10 * scale, -float(found.fun))


def _least(cost: Callable[[NDArray[np.float64]], float], count: int) -> OptimizeResult:
    """The least of a cost about 0; numbers are radians and tens of pixels."""
    simplex = np.vstack([np.zeros(count), np.radians(FIRST_STEP_DEG) * np.eye(count)])
    options = {"initial_simplex": simplex, "xatol": 2e-4, "fatol": 1e-7, "maxfev": 400}
    return minimize(cost, np.zeros(count), method="Nelder-Mead", options=options)


def _small(volume: Tensor, side: int) -> Tensor:
    """A coarser copy within its inscribed sphere, float32."""
    small = rescale(volume.float(), min(side, int(volume.shape[-1])), 3)
    if len(small) < side:
        small = rescale(small, side, 3)
    return small * (1 - outside_weight(side, side / 2 - 3, 3.0, 3))


def _normalised(volumes: Tensor) -> Tensor:
    """Mean 0 and length 1 of each map (..., N, N, N)."""
    axes = (-3, -2, -1)
    volumes = volumes - volumes.mean(axes, keepdim=True)
    return volumes / volumes.square().sum(axes, keepdim=True).sqrt().clamp_min(1e-20)


def _turned(volume: Tensor, rotations: Tensor, shift_px: Matrix | None = None) -> Tensor:
    """map(R v + t) for each of the rotations (b, 3, 3), linear in between; (b, N, N, N)."""
    side = volume.shape[-1]
    axis = (torch.arange(side) - side // 2).float()
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    places = torch.stack([x, y, z], -1).reshape(-1, 3) @ rotations.float().transpose(-1, -2)
    if shift_px is not None:
        places = places + torch.from_numpy(shift_px).float()
    # grid_sample: -1 and 1 are the centres of the first and the last voxel
    places = (places + side // 2) * (2 / (side - 1)) - 1
    grid = places.reshape(-1, side, side, side, 3)
    volumes = volume.expand(len(rotations), 1, *volume.shape)
    return torch.nn.functional.grid_sample(volumes, grid, align_corners=True)[:, 0]
