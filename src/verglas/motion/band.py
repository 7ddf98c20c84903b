"""The Fourier pixels an alignment works on: a cropped half transform and its rings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from scipy import fft

Array = np.ndarray[Any, Any]
Rows = Literal["all", "fit", "judge"]
JUDGE_EVERY = 8
LEAST_INDEX = 3  # gradients of illumination and ice thickness live below


@dataclass(frozen=True)
class Band:
    """Half transforms of images of `extent_yx` pixels, kept up to `limit` cycles per pixel.

    `grid_yx` is the real-space size that the kept part transforms back to; its pixels are
    extent / grid times larger. Rows come in FFT order, columns from 0. Rings are one Fourier pixel of the
    longer side wide; pixels of the two axes, where edges and readout patterns of a row or column lie,
    and of the lowest frequencies belong to ring 0, which carries no weight.
    """

    extent_yx: tuple[float, float]
    grid_yx: tuple[int, int]
    limit: float  # cycles per pixel, at most 0.5

    @classmethod
    def of(cls, shape_yx: tuple[int, int], limit: float) -> Band:
        """The smallest grid, good for the FFT, that holds the frequencies up to `limit`."""
        height, width = (_even_fast_size(size, limit) for size in shape_yx)
        return cls.shared(shape_yx, (height, width), limit)

    @classmethod
    def shared(cls, extent_yx: tuple[float, float], grid_yx: tuple[int, int], limit: float) -> Band:
        """One object for all movies of a shape: what it works out, it works out once."""
        return _shared_band(extent_yx, grid_yx, limit)

    @cached_property
    def _known(self) -> dict[tuple[str, float, str], Array]:
        """Arrays that `columns_within` and `counts` have made."""
        return {}

    @cached_property
    def scale_yx(self) -> Array:  # (2,) pixels per grid pixel
        return np.divide(self.extent_yx, self.grid_yx)

    @cached_property
    def frequencies_y(self) -> Array:  # (h,) float32, cycles per pixel
        size = self.grid_yx[0]
        return (fft.fftfreq(size) * size / self.extent_yx[0]).astype(np.float32)

    @cached_property
    def frequencies_x(self) -> Array:  # (w,) float32
        return (np.arange(self.grid_yx[1] // 2 + 1) / self.extent_yx[1]).astype(np.float32)

    @cached_property
    def radii(self) -> Array:  # (h, w) float32, cycles per pixel
        return np.hypot(self.frequencies_y[:, None], self.frequencies_x[None, :])

    @cached_property
    def ring_width(self) -> float:
        return 1.0 / max(self.extent_yx)

    @cached_property
    def n_rings(self) -> int:
        return int(self.limit / self.ring_width) + 1

    @cached_property
    def rings(self) -> Array:  # (h, w) int32; 0: no weight
        index = np.rint(self.radii / self.ring_width).astype(np.int32)
        index[(index >= self.n_rings) | (index < LEAST_INDEX)] = 0
        index[0, :] = 0
        index[:, 0] = 0
        index[self.grid_yx[0] // 2, :] = 0  # the Nyquist row of the cropped grid stands for two
        return index

    @cached_property
    def columns(self) -> Array:  # (h,) int64: columns of each row inside the limit
        return self.columns_within(self.limit)

    def columns_within(self, limit: float, rows: Rows = "all") -> Array:  # (h,) int64
        """Columns of each row up to another, lower limit; 0 for rows that do not take part."""
        key = ("columns", limit, rows)
        if key not in self._known:
            inside = (self.rings > 0) & (self.rings <= limit / self.ring_width)
            last = inside.shape[1] - inside[:, ::-1].argmax(axis=1)
            self._known[key] = np.where(inside.any(axis=1) & self.takes_part(rows), last, 0)
        return self._known[key]

    def takes_part(self, rows: Rows) -> Array:  # (h,) bool
        """Which rows belong to a selection: every eighth is kept out of a fit in order to judge it."""
        index = np.rint(self.frequencies_y * self.extent_yx[0]).astype(int)
        judge = np.abs(index) % JUDGE_EVERY == JUDGE_EVERY // 2
        return {"all": np.ones_like(judge), "fit": ~judge, "judge": judge}[rows]

    def counts(self, rows: Rows) -> Array:  # (n_rings,) float64, half-plane pixels of a selection
        key = ("counts", self.limit, rows)
        if key not in self._known:
            rings = self.rings[self.takes_part(rows)]
            counts = np.bincount(rings.ravel(), minlength=self.n_rings).astype(float)
            counts[0] = 0
            self._known[key] = counts
        return self._known[key]

    @cached_property
    def ring_frequencies(self) -> Array:  # (n_rings,) cycles per pixel
        return np.arange(self.n_rings) * self.ring_width

    def transform(self, image: Array) -> Array:  # (H, W) -> (h, w) complex
        """Half transform of a whole image, only the kept part; not normalised.

        Columns that are not kept are left out before the second half of the work.
        """
        half, width = self.grid_yx[0] // 2, self.grid_yx[1] // 2 + 1
        along_x = np.ascontiguousarray(fft.rfft(image, axis=1)[:, :width])
        both = fft.fft(along_x, axis=0, overwrite_x=True)
        return np.concatenate([both[:half], both[-half:]])

    def crop(self, transform: Array) -> Array:
        """Cut a full half transform (..., H, W//2+1) to this band's grid."""
        half, width = self.grid_yx[0] // 2, self.grid_yx[1] // 2 + 1
        rows = np.concatenate([transform[..., :half, :], transform[..., -half:, :]], axis=-2)
        return rows[..., :width]


@lru_cache(maxsize=16)
def _shared_band(extent_yx: tuple[float, float], grid_yx: tuple[int, int], limit: float) -> Band:
    return Band(extent_yx, grid_yx, limit)


def _even_fast_size(size: int, limit: float) -> int:
    least = min(size, 2 * int(np.ceil(size * limit)))
    candidate = least + least % 2
    while candidate < size and fft.next_fast_len(candidate, real=True) != candidate:
        candidate += 2
    return min(candidate, size - size % 2)
