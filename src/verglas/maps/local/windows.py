"""Soft spherical windows of a map on a grid of points, cut out in batches.

A window holds all that its mask does not set to zero, so its transform has everything that the transform of
the whole masked map has, on fewer frequencies: curves are read off between its shells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.maps.masks import outside_weight


@dataclass(frozen=True)
class WindowGrid:
    """Points (n, 3) as (z, y, x) from the box centre, and the mask (W, W, W) around each."""

    size: int  # box of the map
    points: Tensor
    mask: Tensor

    @classmethod
    def of(
        cls, size: int, step_px: int, radius_px: int, edge_px: int, device: torch.device | str = "cpu"
    ) -> WindowGrid:
        """A grid from the first voxel on, points within N/2 - radius of the centre.

        Raises ValueError where no window fits.
        """
        axis = torch.arange(-(size // 2), size - size // 2, max(1, step_px))
        points = torch.cartesian_prod(axis, axis, axis)
        points = points[points.double().norm(dim=1) < size / 2 - radius_px]
        if not len(points):
            raise ValueError(
                f"no window of radius {radius_px} px fits in a box of {size} px: take finer windows"
            )
        width = _fast_size(2 * (radius_px + edge_px) + 2)
        mask = 1 - outside_weight(width, radius_px, edge_px, 3, device=device)
        return cls(size, points, mask)

    @property
    def width(self) -> int:
        return len(self.mask)

    def cut(self, padded: Tensor, points: Tensor, width: int | None = None) -> Tensor:
        """Windows (b, W, W, W) of a map that `pad` has made larger, around points (b, 3)."""
        width = width or self.width
        offset = torch.arange(width) - width // 2 + len(padded) // 2
        places = (points[:, :, None] + offset).to(padded.device)
        return padded[places[:, 0, :, None, None], places[:, 1, None, :, None], places[:, 2, None, None, :]]

    def pad(self, volume: Tensor, margin: int = 0) -> Tensor:
        """The map with zeros around it, so that every window lies within."""
        return torch.nn.functional.pad(volume, [self.width // 2 + margin] * 6)

    def add_to(self, total: Tensor, windows: Tensor, points: Tensor) -> None:
        """Add windows (b, W, W, W) to a padded map in place, one after another: they overlap."""
        first = points + len(total) // 2 - self.width // 2
        for window, (z, y, x) in zip(windows, first.tolist()):
            part = total[z : z + self.width, y : y + self.width, x : x + self.width]
            part += window

    def unpad(self, padded: Tensor) -> Tensor:
        """The part of a padded map that is the map."""
        before = (len(padded) - self.size) // 2
        part = slice(before, before + self.size)
        return padded[part, part, part]


def _fast_size(least: int) -> int:
    """The next even size with prime factors 2, 3 and 5 only."""
    size = least + least % 2
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2
