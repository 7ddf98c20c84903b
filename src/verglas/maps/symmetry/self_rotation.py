"""How well a map agrees with itself after a turn: for given rotations, and as a table of axes and angles.

Every symmetry score is a mean of such agreements: a map has its axes where B puts them if it agrees with itself
after every turn B g Bᵀ, g of the group. So one table serves all orientations of all groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from verglas.fourier import crop_spectrum, forward, inverse, shift_in_fourier
from verglas.fourier.gridding import real_radius
from verglas.geometry import healpix_directions, view_vectors
from verglas.maps.symmetry.turns import Turns, rotation_about

_AT_ONCE = 1 << 21  # points of a batch
MARGIN_PX = 2.0  # of the sphere from the edge of the box


@dataclass(frozen=True, eq=False)
class SelfRotation:
    """A coarse copy of a map, its centre of rotation in the middle, and the points that are compared."""

    volume: Tensor  # (n, n, n) float32
    points: Tensor  # (p, 3) voxels (x, y, z) from the middle, within the sphere
    values: Tensor  # (p,) of the map there, mean 0, length 1
    scale: float  # voxels of this copy per voxel of the map

    @classmethod
    def of(cls, volume: Tensor, side: int, centre_px: Tensor, radius_px: float | None = None) -> SelfRotation:
        """A copy of `side` voxels over the same extent, (x, y, z) `centre_px` from the middle becoming its middle.

        Points within `radius_px` (of the map) of the centre count; by default as many as the box holds.
        """
        size = int(volume.shape[-1])
        side = min(side, size)
        scale = side / size
        spectrum = crop_spectrum(forward(volume.float(), 3), side, 3)
        shift = -(centre_px * scale).flip(-1)
        small = inverse(shift_in_fourier(spectrum, shift, dims=3), side, 3)
        largest = side / 2 - MARGIN_PX
        radius = largest if radius_px is None else min(largest, max(3.0, radius_px * scale))
        inside = real_radius(side, 3, volume.device) <= radius
        points = (inside.nonzero() - side // 2).flip(-1).float()
        return cls(small, points, _standard(small[inside]), scale)

    def agreement(self, rotations: Tensor, shift_px: Tensor | None = None) -> Tensor:
        """Correlation of the map with itself turned by each of the rotations (b, 3, 3); (b,) float32.

        The turns are about a point `shift_px` (x, y, z) voxels of this copy from its middle.
        """
        step = max(1, _AT_ONCE // len(self.points))
        return torch.cat([self._agreement(part, shift_px) for part in torch.split(rotations, step)])

    def _agreement(self, rotations: Tensor, shift_px: Tensor | None) -> Tensor:
        side = int(self.volume.shape[-1])
        middle = torch.full((len(rotations), 1, 3), float(side // 2))
        if shift_px is not None:  # R (v - c) + c
            middle = middle + (shift_px - rotations.double() @ shift_px.double()).to(middle)[:, None]
        # grid_sample: -1 and 1 are the centres of the first and the last voxel
        scale = 2 / (side - 1)
        turns = (rotations.transpose(-1, -2) * scale).to(self.points)
        grid = torch.baddbmm(middle * scale - 1, self.points.expand(len(turns), -1, -1), turns)
        found = torch.nn.functional.grid_sample(
            self.volume[None, None], grid.reshape(1, len(rotations), 1, -1, 3), align_corners=True
        )
        return _standard(found.reshape(len(rotations), -1)) @ self.values

    def score(self, frames: Tensor, turns: Turns, shift_px: Tensor | None = None) -> Tensor:
        """Mean agreement over the turns of a group whose axes lie as the frames B (b, 3, 3) put them; (b,)."""
        if not len(turns.operators):
            return torch.ones(len(frames))
        frames = frames.double()
        moved = frames[:, None] @ turns.operators @ frames.transpose(-1, -2)[:, None]
        found = self.agreement(moved.flatten(0, 1), shift_px).reshape(len(frames), -1)
        return found @ turns.weights.to(found)


@dataclass(frozen=True, eq=False)
class TurnTable:
    """Agreement for all axes of a grid and some angles."""

    directions: Tensor  # (d, 3) of half a sphere: an axis and its opposite are one
    rows: dict[Fraction, Tensor]  # fraction of a full turn -> (d,)

    @classmethod
    def of(cls, copy: SelfRotation, fractions: Iterable[Fraction], order: int) -> TurnTable:
        """The table for axes of a HEALPix order."""
        directions = view_vectors(healpix_directions(order))
        z, y = directions[:, 2], directions[:, 1]
        flat = z.abs() < 1e-9
        directions = directions[
            (z > 1e-9) | (flat & ((y > 1e-9) | ((y.abs() <= 1e-9) & (directions[:, 0] > 0))))
        ]
        rows = {}
        for fraction in sorted(set(fractions)):
            rows[fraction] = copy.agreement(
                rotation_about(directions, torch.tensor(2 * torch.pi * float(fraction)))
            )
        return cls(directions, rows)

    def score(self, frames: Tensor, turns: Turns) -> Tensor:
        """As `SelfRotation.score`, from the nearest axes of the table."""
        total = torch.zeros(len(frames))
        axes, which = _distinct(turns.axes)
        step = max(1, (1 << 24) // (len(self.directions) * max(1, len(axes))))
        for start in range(0, len(frames), step):
            part = slice(start, start + step)
            moved = (axes.float() @ frames[part].float().transpose(-1, -2)).reshape(-1, 3)
            nearest = (moved @ self.directions.float().T).abs().argmax(-1).reshape(-1, len(axes))
            for number, (fraction, weight) in enumerate(zip(turns.fractions, turns.weights.tolist())):
                total[part] += weight * self.rows[fraction][nearest[:, which[number]]]
        return total


def _distinct(axes: Tensor) -> tuple[Tensor, list[int]]:
    """Axes up to their sign, each once, and which of them each one is."""
    kept: list[Tensor] = []
    which = []
    for axis in axes:
        same = [n for n, other in enumerate(kept) if abs(float(axis @ other)) > 1 - 1e-6]
        if not same:
            kept.append(axis)
        which.append(same[0] if same else len(kept) - 1)
    return torch.stack(kept), which


def _standard(values: Tensor) -> Tensor:
    """Mean 0 and length 1 of each row (..., p)."""
    values = values - values.mean(-1, keepdim=True)
    return values / values.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-20)
