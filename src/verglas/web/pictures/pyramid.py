"""A micrograph as tiles at many scales, 8 bits deep, so that a browser can pan and zoom through 8k images.

The finest levels stay in the file, which is mapped: their tiles are cut out when somebody zooms in that
far. Every coarser level is kept. The grey scale is one for the whole micrograph (mean +- 4
deviations of the pixels binned twice); contrast is the page's affair.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import read_images_at, read_mrc_header
from verglas.formats.mrc_header import FOUR_BIT, MrcHeader
from verglas.jobs.report.grey import Bytes, between, binned
from verglas.project.confinement import TooLarge
from verglas.web.serving.pools import check_wanted

TILE = 512
SMALLEST = 512
SIGMAS = 4.0
LOWPASS_SIDE = 2048
CACHE_BYTES = 96 << 20
MOST_PIXELS = 1 << 29  # twice those of the largest sensor at four times its resolution
_ROWS = 512  # of a chunk read at a time; divisible by 4
_LARGE_SIDE = 4096  # beyond, the level binned twice is not kept either
_SAMPLED_ROWS = 1024


@dataclass(frozen=True)
class Grey:
    """Values that become black and white."""

    low: float
    high: float

    def bytes_of(self, image: NDArray[Any]) -> Bytes:
        return between(image, self.low, self.high)


class Pyramid:
    """All levels of one micrograph; level k is binned 2**k times."""

    def __init__(self, path: Path) -> None:
        self.header = read_mrc_header(path)
        self.path = path
        height, width = self.header.shape_yx
        if height * width > MOST_PIXELS:
            raise TooLarge(_too_large(path, self.header))
        self.shape_yx = (height, width)
        self.n_levels = 1
        while max(height, width) >> self.n_levels >= SMALLEST // 2:
            self.n_levels += 1
        self.levels: dict[int, Bytes] = {}
        self.kept_from = 2 if max(height, width) > _LARGE_SIDE else 1
        image, sample = self._first_kept()
        self.grey = _grey_of(sample)
        for level in range(self.kept_from, max(self.kept_from + 1, self.n_levels)):
            self.levels[level] = self.grey.bytes_of(image)
            if min(image.shape) < 2:
                break
            image = binned(image, 2)

    @property
    def n_bytes(self) -> int:
        return sum(level.nbytes for level in self.levels.values())

    def tile(self, level: int, column: int, row: int) -> Bytes:
        """One tile; smaller at the far edges. Raises IndexError outside."""
        top, left = row * TILE, column * TILE
        if row < 0 or column < 0 or level < 0:
            raise IndexError(f"there is no tile {column}, {row} at level {level}")
        if level < self.kept_from:
            step = 2**level
            part = self.rows(top * step, TILE * step)[:, left * step : (left + TILE) * step]
            found = self.grey.bytes_of(binned(part, step))
        else:
            found = self.levels[level][top : top + TILE, left : left + TILE]
        if not found.size:
            raise IndexError(f"there is no tile {column}, {row} at level {level}")
        return found

    def small(self, side: int) -> Bytes:
        """The smallest level that is at least `side` wide (the coarsest if none is)."""
        fitting = [lv for lv, data in self.levels.items() if max(data.shape) >= side]
        return self.levels[max(fitting) if fitting else min(self.levels)]

    def rows(self, top: int, count: int) -> NDArray[Any]:
        """Rows of the file, fewer at its end; of plain pixels only what is used is read."""
        header = self.header
        count = max(0, min(count, self.shape_yx[0] - top))
        if header.mode == FOUR_BIT:
            part = replace(
                header,
                shape_yx=(count, self.shape_yx[1]),
                data_offset=header.data_offset + top * header.row_bytes,
            )
            with open(self.path, "rb") as file:
                return read_images_at(file, part, 0, 1, self.path)[0]
        mapped = np.memmap(self.path, header.dtype, "r", header.data_offset, shape=self.shape_yx)
        return mapped[top : top + count]

    def binned(self, factor: int) -> NDArray[np.float32]:
        """Binned in strips, so that the full size is never in memory."""
        strips = [*self._strips(factor)]
        width = self.shape_yx[1]
        return np.concatenate(strips) if strips else np.zeros((0, width // factor), np.float32)

    def _first_kept(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The finest level that is kept, and rows of the one binned twice, for the grey scale."""
        kept, sample = [], []
        for strip in self._strips():
            kept.append(binned(strip, 2) if self.kept_from == 2 else strip)
            sample.append(strip[:: max(1, self.shape_yx[0] // 2 // _SAMPLED_ROWS)])
        if not kept:
            empty = np.zeros((0, self.shape_yx[1] >> self.kept_from), np.float32)
            return empty, empty
        return np.concatenate(kept), np.concatenate(sample)

    def _strips(self, factor: int = 2) -> Iterator[NDArray[np.float32]]:
        height = self.shape_yx[0]
        rows = max(1, _ROWS // factor) * factor
        for top in range(0, height - height % factor, rows):
            check_wanted()
            yield binned(self.rows(top, rows), factor)


class LowPassed:
    """A micrograph filtered to a resolution, one level of at most 2048 pixels."""

    def __init__(self, pyramid: Pyramid, pixel_size_angst: float, resolution_angst: float) -> None:
        self.level = 0
        while max(pyramid.shape_yx) >> self.level > LOWPASS_SIDE:
            self.level += 1
        image = pyramid.binned(2**self.level)
        filtered = low_pass(image, pixel_size_angst * 2**self.level, resolution_angst)
        self.image = _grey_of(filtered).bytes_of(filtered)
        self.n_bytes = self.image.nbytes


def low_pass(
    image: NDArray[np.float32], pixel_size_angst: float, resolution_angst: float
) -> NDArray[np.float32]:
    """Gaussian in Fourier space that falls to exp(-1/2) at the resolution."""
    from scipy.fft import irfft2, rfft2

    height, width = image.shape
    y = np.fft.fftfreq(height, pixel_size_angst)[:, None]
    x = np.fft.rfftfreq(width, pixel_size_angst)[None]
    weight = np.exp(-0.5 * (x**2 + y**2) * resolution_angst**2).astype(np.float32)
    filtered: NDArray[np.float32] = irfft2(rfft2(image - image.mean()) * weight, s=image.shape)
    return filtered


def _too_large(path: Path, header: MrcHeader) -> str:
    height, width = header.shape_yx
    return (
        f"{path.name} has {width:,} x {height:,} pixels; the pages show micrographs of at most "
        f"{MOST_PIXELS / 1e6:,.0f} million"
    )


Kept = TypeVar("Kept", Pyramid, LowPassed)


class PyramidCache:
    """The micrographs looked at last, up to a number of bytes; safe for several threads."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[tuple[object, ...], Pyramid | LowPassed] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[tuple[object, ...], threading.Lock] = {}

    def pyramid(self, path: Path) -> Pyramid:
        return self._get((*_state(path), 0.0), lambda: Pyramid(path))

    def low_passed(self, path: Path, pixel_size_angst: float, resolution_angst: float) -> LowPassed:
        key = (*_state(path), resolution_angst, pixel_size_angst)
        base = self.pyramid(path)
        return self._get(key, lambda: LowPassed(base, pixel_size_angst, resolution_angst))

    def _get(self, key: tuple[object, ...], build: Callable[[], Kept]) -> Kept:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(Kept, self._kept[key])
            door = self._building.setdefault(key, threading.Lock())
        with door:
            with self._lock:
                if key in self._kept:
                    return cast(Kept, self._kept[key])
            try:
                made = build()
            finally:
                with self._lock:
                    self._building.pop(key, None)
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > 1 and self._total() > self.max_bytes:
                    self._kept.popitem(last=False)
        return made

    def _total(self) -> int:
        return sum(each.n_bytes for each in self._kept.values())


def _state(path: Path) -> tuple[object, ...]:
    stat = os.stat(path)
    return str(path), stat.st_mtime_ns, stat.st_size


def _grey_of(image: NDArray[np.floating]) -> Grey:
    """Mean +- 4 deviations of the inner 99 %."""
    sample = image[:: max(1, image.shape[0] // 1024), :: max(1, image.shape[1] // 1024)]
    values = sample[np.isfinite(sample)]
    if not values.size:
        return Grey(0.0, 1.0)
    low, high = np.percentile(values, [0.5, 99.5])
    core = values[(values >= low) & (values <= high)]
    mean, spread = float(core.mean()), float(core.std())
    return Grey(mean - SIGMAS * spread, mean + SIGMAS * spread)
