"""Which pixels of a half transform take part: lists of frequencies with their places in the transform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from verglas.fourier.grid import half_plane, index_grid, squared_radius


@dataclass(frozen=True, eq=False)
class SlicePixels:
    """P pixels of half transforms (size, size//2+1)."""

    size: int
    indices_yx: Tensor  # (P, 2) int64 frequencies
    flat: Tensor  # (P,) place in the flattened transform

    def __len__(self) -> int:
        return int(self.flat.numel())

    def gather(self, spectra: Tensor) -> Tensor:
        """The pixels (..., P) of half transforms (..., size, size//2+1)."""
        return spectra.flatten(-2)[..., self.flat.to(spectra.device)]

    def scatter(self, values: Tensor) -> Tensor:
        """Half transforms (..., size, size//2+1) of pixels (..., P), 0 elsewhere."""
        grid = values.new_zeros((*values.shape[:-1], self.size * (self.size // 2 + 1)))
        grid[..., self.flat.to(values.device)] = values
        return grid.unflatten(-1, (self.size, self.size // 2 + 1))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=64)
def disc(size: int) -> SlicePixels:
    """All stored pixels with r <= size/2: what a slice fills."""
    return _pixels(size, squared_radius(size) * 4 <= size * size)


@lru_cache(maxsize=64)
def half_disc(size: int) -> SlicePixels:
    """The pixels of the half plane with r <= size/2, each ± pair once: what is inserted."""
    return _pixels(size, (squared_radius(size) * 4 <= size * size) & half_plane(size))


def _pixels(size: int, wanted: Tensor) -> SlicePixels:
    flat = wanted.flatten().nonzero().flatten()
    return SlicePixels(size, index_grid(size).reshape(-1, 2)[flat], flat)
