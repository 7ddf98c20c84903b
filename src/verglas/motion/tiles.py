"""Small windows of all frames, cut where the specimen is expected to have gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import fft

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TileGrid:
    """Equal tiles that cover images of `grid_yx` pixels."""

    grid_yx: tuple[int, int]
    tiles_yx: tuple[int, int]

    @property
    def size_yx(self) -> tuple[int, int]:
        """Good for the FFT, and not larger than a tile's share."""
        height, width = (_fast_size(g // t) for g, t in zip(self.grid_yx, self.tiles_yx))
        return height, width

    @property
    def corners_yx(self) -> Array:  # (T, 2) of the first pixel
        steps = [
            (np.arange(tiles) * grid / tiles + (grid / tiles - size) / 2).astype(int)
            for grid, tiles, size in zip(self.grid_yx, self.tiles_yx, self.size_yx)
        ]
        return np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 2)

    @property
    def places_yx(self) -> Array:  # (T, 2) of the centres, fractions of the image about its middle
        centres = self.corners_yx + np.array(self.size_yx) / 2
        return centres / np.array(self.grid_yx) - 0.5


@njit(cache=True)
def _cut(image: Array, top: int, left: int, out: Array) -> None:
    """Copy a window; outside the image the nearest pixels stand in."""
    height, width = image.shape
    mean = np.float64(0)
    for y in range(out.shape[0]):
        row = min(max(top + y, 0), height - 1)
        for x in range(out.shape[1]):
            value = image[row, min(max(left + x, 0), width - 1)]
            out[y, x] = value
            mean += value
    mean /= out.size
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] -= mean


def cut_windows(
    images: Array,  # (M, y, x)
    size_yx: tuple[int, int],
    corner_yx: Array,  # (2,)
    offsets_yx: Array,  # (M, 2) whole pixels: where this window's content lies in each image
) -> Array:  # (M, *size_yx), each about its mean
    """One window of every image."""
    windows = np.empty((len(images), *size_yx), np.float32)
    for image, window, offset in zip(images, windows, offsets_yx):
        top, left = corner_yx + offset
        _cut(image, top, left, window)
    return windows


def _fast_size(most: int) -> int:
    """The largest even size up to `most` that has a fast FFT."""
    size = most // 2 * 2
    while size > 2 and fft.next_fast_len(size, real=True) != size:
        size -= 2
    return size
