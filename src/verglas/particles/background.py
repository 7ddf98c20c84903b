"""The background of a particle image: everything outside a circle (refinement.md §1.10)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Pixels with r^2 > radius^2 about the centre size//2, and the plane fit over them.

    Row y of the image has background in columns [0, first[y]) and [last[y], size).
    """

    size: int
    radius_px: int
    first: Array  # (size,) int64
    last: Array  # (size,) int64
    count: int
    inverse: Array  # (3, 3): inverse normal matrix of the plane a x + b y + c about the centre

    def mask(self) -> Array:
        """(size, size) bool, true on background."""
        column = np.arange(self.size)
        inside = (column >= self.first[:, None]) & (column < self.last[:, None])
        return ~inside


@lru_cache(maxsize=16)
def background_of(size: int, radius_px: int) -> Background:
    """The background of images of `size` pixels. Raises ValueError if the circle leaves too little."""
    if radius_px <= 0:
        raise ValueError(f"background radius must be positive, got {radius_px} px")
    position = np.arange(size) - size // 2
    squared = position[:, None] ** 2 + position[None] ** 2
    mask = squared > radius_px**2
    if mask.sum() < 10:
        raise ValueError(
            f"a background circle of radius {radius_px} px leaves no background in a box of {size} px"
        )
    inside = ~mask
    empty = ~inside.any(1)
    first = np.where(empty, size, inside.argmax(1))
    last = np.where(empty, size, size - inside[:, ::-1].argmax(1))
    y, x = np.nonzero(mask)
    design = np.stack([x - size // 2, y - size // 2, np.ones(len(x))]).astype(np.float64)
    inverse = np.linalg.inv(design @ design.T)
    return Background(size, radius_px, first, last, int(mask.sum()), inverse)
