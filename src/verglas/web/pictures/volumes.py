"""Maps for the pages: small copies, sections. Large files are read section by section, never whole.

Axis order is z, y, x. A section is drawn as the isosurface stands beside it: its second axis goes up.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import StatisticsSum, read_images_at, read_mrc_header
from verglas.formats.mrc_header import build_header
from verglas.formats.png import png_bytes
from verglas.jobs.report.grey import between
from verglas.project.confinement import TooLarge
from verglas.web.pictures.images import resized
from verglas.web.serving.pools import check_wanted

LONGEST_SIDE = 1024
_SAMPLE_VOXELS = 2_000_000  # of the grey scale
_NOISE = 1.0  # standard deviations of the solvent above which voxels are no solvent
_FEW = 100  # voxels: fewer say nothing
_SOFT_EDGE = 0.6  # share of a mask's voxels that its edge takes at most
_RINGING = 0.15  # of a mask that was cut down in Fourier space


def small_map(path: Path, side: int) -> tuple[NDArray[np.float32], float]:
    """A map of at most `side` voxels along its longest axis, and its new voxel size in Å.

    A cube is cut down in Fourier space, after averaging blocks where it is more than twice too large;
    anything else is averaged in blocks.
    """
    data = _Sections(path)
    voxel_angst = data.voxel_angst
    longest = max(data.shape)
    is_cube = len(set(data.shape)) == 1
    factor = max(1, longest // (2 * side)) if is_cube else -(-longest // side)
    blocks = _averaged(data, factor)
    if longest <= side:
        return blocks, voxel_angst
    if not is_cube or len(blocks) <= side:
        return blocks, voxel_angst * factor
    wanted = side - side % 2
    return _cut(blocks, wanted), voxel_angst * factor * len(blocks) / wanted


def map_bytes(data: NDArray[np.float32], voxel_angst: float) -> bytes:
    """An MRC file in memory."""
    statistics = StatisticsSum().add(data).result()
    nz, ny, nx = data.shape
    header = build_header(
        (nz, ny, nx), np.dtype(np.float32), voxel_angst, is_volume=True, statistics=statistics
    )
    return header + np.ascontiguousarray(data, "<f4").tobytes()


def contour_level(data: NDArray[np.float32]) -> float:
    """Where a map is contoured before somebody says otherwise: what parts its dense voxels from the others.

    A mask at 0.5; any other map where the variance between the voxels above and below is largest (Otsu), of
    those that stand out of the solvent, taken as the corners of the box outside its sphere.
    """
    if data.min() > -_RINGING and data.max() < 1 + _RINGING:
        edge = float(np.mean((data > _RINGING) & (data < 1 - _RINGING)))
        if edge < _SOFT_EDGE and bool((data > 1 - _RINGING).any()):
            return 0.5
    along = [np.linspace(-1, 1, n, dtype=np.float32) for n in data.shape]
    square = along[0][:, None, None] ** 2 + along[1][:, None] ** 2 + along[2] ** 2
    solvent = data[square > 1]
    out_of_noise = float(solvent.mean() + _NOISE * solvent.std()) if solvent.size else float(data.mean())
    values = data[data > max(out_of_noise, float(data.mean()))]
    return _otsu(values) if values.size > _FEW else float(data.mean() + 3 * data.std())


def _otsu(values: NDArray[np.float32]) -> float:
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        between_variance = np.where((below > 0) & (above > 0), below * above * apart**2, 0)
    return float(centres[int(np.argmax(between_variance))])


def slice_png(path: Path, axis: str, position: float, side: int = 384) -> bytes:
    """The section of a map at a fraction 0..1 of an axis (x, y or z), grey scale of the whole map."""
    data = _Sections(path)
    stat = os.stat(path)
    low, high = _grey_limits(path, stat.st_mtime_ns, stat.st_size)
    number = "zyx".index(axis)
    index = min(data.shape[number] - 1, max(0, int(position * data.shape[number])))
    if number == 0:
        section = data.read(index, 1)[0]
    else:
        section = np.stack([data.read(z, 1)[0].take(index, number - 1) for z in range(data.shape[0])])
    return png_bytes(resized(between(section[::-1], low, high), side))


class _Sections:
    """A map read section by section along z, so that no more of it is ever in memory."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableImage, ValueError for what is no map, TooLarge."""
        self._path, self._header = path, read_mrc_header(path)
        self.voxel_angst = self._header.pixel_size_angst
        self.shape = (self._header.n_images, *self._header.shape_yx)
        if min(self.shape) < 2:
            raise ValueError(f"{path.name} is no map: its shape is {self.shape}")
        if max(self.shape) > LONGEST_SIDE:
            raise TooLarge(
                f"{path.name} has {' x '.join(map(str, self.shape))} voxels; the pages show maps of at "
                f"most {LONGEST_SIDE} a side"
            )

    def read(self, z: int, count: int) -> NDArray[np.float32]:
        """Sections z to z + count. Raises Overdue if nobody waits any more."""
        check_wanted()
        with open(self._path, "rb") as file:
            part = read_images_at(file, self._header, z, count, self._path)
        return np.asarray(part, np.float32)


@lru_cache(maxsize=32)
def _grey_limits(path: Path, changed_ns: int, size: int) -> tuple[float, float]:
    """Black and white of a map: all but the darkest 0.5 % and the brightest 0.2 % of its voxels."""
    data = _Sections(path)
    step = max(1, round((np.prod(data.shape, dtype=float) / _SAMPLE_VOXELS) ** (1 / 3)))
    sections = range(0, data.shape[0], step)
    values = np.stack([data.read(z, 1)[0, ::step, ::step] for z in sections])
    low, high = np.percentile(values[np.isfinite(values)], [0.5, 99.8])
    return float(low), float(high)


def _averaged(data: _Sections, factor: int) -> NDArray[np.float32]:
    """Mean of factor³ voxels, slab by slab; a remainder at the far edges is left out."""
    shape = tuple(max(1, length // factor) for length in data.shape)
    found = np.empty(shape, np.float32)
    for z in range(shape[0]):
        if factor == 1:
            found[z] = data.read(z, 1)[0]
            continue
        slab = data.read(z * factor, min(factor, data.shape[0] - z * factor)).mean(0)
        for axis in (0, 1):
            n = shape[axis + 1]
            kept = np.take(slab, range(min(n * factor, slab.shape[axis])), axis)
            slab = np.add.reduceat(kept, range(0, kept.shape[axis], factor), axis) / factor
        found[z] = slab
    return found


def _cut(data: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """A cube with the spectrum of a larger one, up to its own Nyquist frequency; `wanted` is even."""
    from scipy.fft import irfftn, rfftn

    n, half = len(data), wanted // 2
    keep = np.r_[0:half, n - half : n]
    cut = rfftn(data)[keep][:, keep][:, :, : half + 1] * (wanted / n) ** 3
    small: NDArray[np.float32] = irfftn(cut, s=(wanted,) * 3).astype(np.float32)
    return small
