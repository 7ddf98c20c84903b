"""Whole MRC images and maps: read into memory, written atomically.

Axis order is z, y, x. Stacks that are read piece by piece are in `formats.stack`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc_header import (
    FOUR_BIT,
    HEADER_BYTES,
    MrcHeader,
    Statistics,
    UnreadableImage,
    build_header,
    mode_of,
    parse_header,
)

__all__ = ["Image", "UnreadableImage", "read_mrc", "read_mrc_header", "write_mrc"]

Array = npt.NDArray[Any]
_BLOCK = 1 << 18  # pixels per step of the statistics: stays in cache
_LARGEST_HALF = 65504.0


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Pixels and their size: (y, x) for one image, (z, y, x) for a map or stack."""

    data: Array
    pixel_size_angst: float  # 0 if the file does not say


def read_mrc(path: str | os.PathLike[str], dtype: npt.DTypeLike | None = np.float32) -> Image:
    """Read a whole file: (y, x) if it holds one image, (z, y, x) otherwise.

    `dtype` converts (default float32); None keeps the stored type in native byte order (four-bit
    counts come as uint8). Raises UnreadableImage naming the file, the bytes expected and found;
    FileNotFoundError and other OSErrors pass through.
    """
    with open(path, "rb") as handle:
        header = header_of(handle, path)
        data = read_images_at(handle, header, 0, header.n_images, path)
    if header.n_images == 1:
        data = data[0]
    if dtype is not None:
        data = data.astype(dtype, copy=False)
    return Image(data, header.pixel_size_angst)


def read_mrc_header(path: str | os.PathLike[str]) -> MrcHeader:
    """Sizes, type and pixel size, without reading pixels; also checks the length of the file."""
    with open(path, "rb") as handle:
        return header_of(handle, path)


def header_of(handle: IO[bytes], path: str | os.PathLike[str]) -> MrcHeader:
    """Parse the header of an open file."""
    return parse_header(handle.read(HEADER_BYTES), os.fstat(handle.fileno()).st_size, path)


def read_images_at(
    handle: IO[bytes], header: MrcHeader, first: int, count: int, path: str | os.PathLike[str]
) -> Array:  # (count, y, x), stored type in native byte order
    """Read `count` consecutive images from an open file by position (safe between threads)."""
    raw = np.empty(count * header.image_bytes, np.uint8)
    offset = header.data_offset + first * header.image_bytes
    read_exactly(handle.fileno(), raw.data, offset, path)
    return pixels_from_bytes(raw, header, count)


def read_exactly(descriptor: int, target: memoryview, offset: int, path: str | os.PathLike[str]) -> None:
    """Fill `target` from `offset`; UnreadableImage if the file ends before (it shrank meanwhile)."""
    done = 0
    while done < len(target):
        got = os.preadv(descriptor, [target[done:]], offset + done)
        if got == 0:
            raise UnreadableImage(
                path, f"truncated: expected {len(target)} bytes at offset {offset}, found {done}"
            )
        done += got


def pixels_from_bytes(raw: npt.NDArray[np.uint8], header: MrcHeader, count: int) -> Array:
    """Stored bytes of `count` images -> (count, y, x) in native byte order."""
    ny, nx = header.shape_yx
    if header.mode == FOUR_BIT:
        return unpack_counts(raw.reshape(count, ny, header.row_bytes))[..., :nx]
    data = raw.view(header.dtype).reshape(count, ny, nx)
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def unpack_counts(packed: npt.NDArray[np.uint8]) -> Array:  # (..., bytes) -> (..., 2 * bytes) uint8
    """Two four-bit counts of every byte, the first in its low half."""
    counts = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.uint8)
    np.bitwise_and(packed, 15, out=counts[..., 0::2])
    np.right_shift(packed, 4, out=counts[..., 1::2])
    return counts


def write_mrc(
    path: str | os.PathLike[str],
    data: npt.ArrayLike,  # (y, x), or (z, y, x)
    pixel_size_angst: float,
    *,
    dtype: npt.DTypeLike | None = None,
    is_volume: bool | None = None,
    durable: bool = True,
) -> None:
    """Write one image, a map or a stack atomically, with the statistics in the header.

    `dtype` is one of float32, float16 (mode 12), int8, int16, uint16; by default floating and 32-bit
    input becomes float32 and bool int8. Three dimensions are a volume unless the name ends in
    `.mrcs` or `is_volume` says otherwise. Raises ValueError if the values do not fit into the type.
    """
    array = np.asarray(data)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"an MRC file holds 2 or 3 dimensions and some pixels, got {array.shape}")
    if is_volume is None:
        is_volume = array.ndim == 3 and not os.fspath(path).endswith(".mrcs")
    stored = as_stored(array, stored_type(array.dtype, dtype))
    stack = stored.reshape((-1, *stored.shape[-2:]))
    header = build_header(
        stack.shape,
        stack.dtype,
        pixel_size_angst,
        is_volume=is_volume,
        statistics=StatisticsSum().add(stack).result(),
    )
    with atomic_write(path, durable=durable) as out:
        out.write(header)
        out.write(stack.data)


def stored_type(given: np.dtype[Any], wanted: npt.DTypeLike | None) -> np.dtype[Any]:
    """The type pixels get in the file when `given` arrays are to be written."""
    if wanted is not None:
        mode_of(np.dtype(wanted))
        return np.dtype(wanted).newbyteorder("<")
    if given.kind not in "buif":
        raise ValueError(f"MRC cannot store {given.name}")
    if given == np.bool_:
        return np.dtype("i1")
    keep = given.name in ("float16", "float32", "int8", "int16", "uint16")
    if given == np.uint8:  # MRC has no unsigned bytes
        return np.dtype("<u2")
    return given.newbyteorder("<") if keep else np.dtype("<f4")


def as_stored(array: Array, dtype: np.dtype[Any]) -> Array:
    """Contiguous little-endian copy (or the array itself); ValueError where values do not fit."""
    if array.dtype != dtype and array.size:
        limits = np.iinfo(dtype) if dtype.kind in "iu" else None
        low, high = float(array.min()), float(array.max())
        bottom, top = (limits.min, limits.max) if limits else (-_LARGEST_HALF, _LARGEST_HALF)
        if (limits or dtype.itemsize == 2) and not (bottom <= low and high <= top):
            raise ValueError(
                f"values from {low:g} to {high:g} do not fit into {dtype.name}"
                f" ({bottom:g} to {top:g}); write float32"
            )
        if limits and array.dtype.kind == "f":
            array = np.rint(array)
    return np.ascontiguousarray(array, dtype=dtype)


class StatisticsSum:
    """Minimum, maximum, mean and deviation of pixels that arrive in pieces, in one cached pass."""

    def __init__(self) -> None:
        self._minimum, self._maximum = np.inf, -np.inf
        self._count = 0
        self._sum = self._sum_squares = 0.0
        self._origin: float | None = None

    def add(self, array: Array) -> StatisticsSum:
        """Count the pixels of `array` (any shape)."""
        flat = array.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK].astype(np.float32, copy=False)
            self._minimum = min(self._minimum, float(block.min()))
            self._maximum = max(self._maximum, float(block.max()))
            if self._origin is None:  # squares about a typical value: no cancellation later
                self._origin = float(block.mean())
            with np.errstate(over="ignore", invalid="ignore"):
                about = block - np.float32(self._origin)
                self._sum += float(about.sum())
                self._sum_squares += float(np.vdot(about, about))
            self._count += block.size
        return self

    def result(self) -> Statistics:
        """The statistics so far; "not determined" if there were no pixels or any was not finite."""
        if self._count == 0 or not np.isfinite(self._sum_squares):
            return Statistics()
        mean = self._sum / self._count
        variance = max(0.0, self._sum_squares / self._count - mean * mean)
        return Statistics(
            self._minimum, self._maximum, mean + (self._origin or 0.0), float(np.sqrt(variance))
        )
