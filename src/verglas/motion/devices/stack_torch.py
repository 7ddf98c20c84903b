"""`stack.TorchStack` on a device of torch: the same numbers to the precision of float32 sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from verglas.motion.band import Band, Rows
from verglas.motion.devices.interface import Stack

Array = np.ndarray[Any, Any]
CHUNK_BYTES = 1 << 30  # of temporary arrays


def phases(frequencies: Any, shifts: Any) -> torch.Tensor:  # (N,), (M,) -> (M, N) complex64
    """exp(-2 pi i f s), computed in double precision: shifts times frequencies may be large."""
    angle = -2 * np.pi * torch.outer(shifts.double(), frequencies.double())
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


@lru_cache(maxsize=16)
def _on_device(band: Band, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frequencies along y and x, ring of every pixel."""
    arrays = (band.frequencies_y, band.frequencies_x, band.rings.astype(np.int64))
    y, x, rings = (torch.as_tensor(array, device=device) for array in arrays)
    return y, x, rings


@lru_cache(maxsize=16)
def _places_and_rings(band: Band, rows: Rows, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Flat indices of the pixels of a selection that count, and the ring of each."""
    columns = band.columns_within(band.limit, rows)
    inside = np.arange(band.rings.shape[1])[None, :] < columns[:, None]
    places = np.flatnonzero(inside)
    rings = band.rings.reshape(-1)[places].astype(np.int64)
    return torch.as_tensor(places, device=device), torch.as_tensor(rings, device=device)


@dataclass
class TorchStack(Stack[torch.Tensor]):
    """Half transforms of M images on the grid of `band`, divided by the root of the number of pixels."""

    band: Band
    data: torch.Tensor  # (M, h, w) complex64

    @classmethod
    def empty(cls, band: Band, n_images: int, device: str) -> TorchStack:
        shape = (n_images, *band.radii.shape)
        return cls(band, torch.zeros(shape, dtype=torch.complex64, device=device))

    def __len__(self) -> int:
        return len(self.data)

    @property
    def _device(self) -> str:
        return str(self.data.device)

    def add(self, index: int, cropped: torch.Tensor, factor: float) -> None:
        self.data[index] += cropped * factor

    def low(self, band: Band) -> Array:
        half, width = band.grid_yx[0] // 2, band.grid_yx[1] // 2 + 1
        rows = torch.cat([self.data[:, :half, :width], self.data[:, -half:, :width]], dim=1)
        return rows.cpu().numpy()

    def merged(self, sizes: list[int]) -> TorchStack:
        parts = torch.split(self.data, sizes)
        return TorchStack(self.band, torch.stack([part.sum(dim=0) for part in parts]))

    def mean_power(self, rows: Rows = "all") -> Array:
        band = self.band
        places, rings = _places_and_rings(band, rows, self._device)
        power = sum(image.real.square() + image.imag.square() for image in self.data)
        totals = torch.zeros(band.n_rings, dtype=torch.float64, device=self.data.device)
        totals.index_add_(0, rings, power.reshape(-1)[places].double())
        mean: Array = totals.cpu().numpy() / np.maximum(band.counts(rows), 1)
        return mean

    def weight(self, weights: Array) -> None:
        _, _, rings = _on_device(self.band, self._device)
        table = torch.as_tensor(np.asarray(weights, np.float32), device=self._device)
        for part in self._chunks():
            self.data[part] *= table[part][:, rings]

    def shifted_sum(self, shifts_yx: Array, columns: Array | None = None) -> TorchStack:
        total = torch.zeros_like(self.data[0])
        for part in self._chunks():
            total += self._moved(part, shifts_yx).sum(dim=0)
        total *= self._inside(self.band.columns if columns is None else columns)
        return TorchStack(self.band, total[None])

    def shift_gradients(
        self, shifts_yx: Array, weighted_sum: TorchStack, columns: Array | None = None
    ) -> Array:
        y, x, _ = _on_device(self.band, self._device)
        inside = self._inside(self.band.columns if columns is None else columns)
        conjugate = weighted_sum.data[0].conj() * inside
        found = []
        for part in self._chunks():
            cross = (self._moved(part, shifts_yx) * conjugate).imag
            along_y = (cross.sum(dim=2).double() * y).sum(dim=1)
            along_x = (cross.sum(dim=1).double() * x).sum(dim=1)
            found.append(torch.stack([along_y, along_x], dim=1))
        gradients: Array = (4 * np.pi * torch.cat(found)).cpu().numpy()
        return gradients

    def shifted_images(self, shifts_yx: Array) -> torch.Tensor:  # (M, *grid_yx)
        grid = self.band.grid_yx
        norm = float(np.sqrt(np.prod(grid)))
        parts = [torch.fft.irfft2(self._moved(part, shifts_yx), grid) * norm for part in self._chunks()]
        return torch.cat(parts)

    def cut_tile(self, images: torch.Tensor, band: Band, corner_yx: Array, offsets_yx: Array) -> TorchStack:
        """See `tiles.cut_tile`."""
        n_images, height, width = images.shape
        places = torch.as_tensor(corner_yx + offsets_yx, device=images.device)
        steps = [torch.arange(size, device=images.device) for size in band.grid_yx]
        rows = (places[:, :1] + steps[0]).clamp(0, height - 1)
        columns = (places[:, 1:] + steps[1]).clamp(0, width - 1)
        which = torch.arange(n_images, device=images.device)
        windows = images[which[:, None, None], rows[:, :, None], columns[:, None, :]]
        windows = windows - windows.mean(dim=(1, 2), keepdim=True)
        norm = float(1 / np.sqrt(np.prod(band.grid_yx)))
        return TorchStack(band, torch.fft.rfft2(windows) * norm)

    def _moved(self, part: slice, shifts_yx: Array) -> torch.Tensor:
        y, x, _ = _on_device(self.band, self._device)
        shifts = torch.as_tensor(np.asarray(shifts_yx, float)[part], device=self._device)
        along_y, along_x = phases(y, shifts[:, 0]), phases(x, shifts[:, 1])
        return self.data[part] * along_y[:, :, None] * along_x[:, None, :]

    def _chunks(self) -> list[slice]:
        size = max(1, CHUNK_BYTES // (3 * 8 * self.data[0].numel()))
        return [slice(first, first + size) for first in range(0, len(self), size)]

    def _inside(self, columns: Array) -> torch.Tensor:  # (h, w) bool
        limit = torch.as_tensor(columns, device=self._device)
        return torch.arange(self.data.shape[2], device=self._device)[None, :] < limit[:, None]
