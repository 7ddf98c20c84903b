"""The 1024-byte MRC header: reading it with suspicion, writing it as MRC2014 asks.

Files in the wild lack the MAP stamp, carry a nonsensical extended-header size, come from big-endian
machines or are cut short. What decides is whether the announced sizes fit the bytes that are there.

Modes: 0 int8 (uint8 if an IMOD stamp says so, four-bit counts if its flag 16 does), 1 int16, 2 float32,
6 uint16, 12 float16, 101 four-bit counts (two per byte, first pixel in the low half, every row padded to a whole byte).
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass

import numpy as np

HEADER_BYTES = 1024
FOUR_BIT = 101
_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", FOUR_BIT: "u1"}
_MODE_OF = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}
_IMOD_STAMP = 1146047817
_IMOD_SIGNED, _IMOD_PACKED = 1, 16  # flags: signed bytes; two four-bit counts in every byte
_MAX_SIDE = 1 << 24


class UnreadableImage(ValueError):
    """A file that is not what it should be: `path`, and `reason` saying what was expected and found."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{os.fspath(path)}: {reason}")
        self.path = os.fspath(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableImage], tuple[str, str]]:
        return type(self), (self.path, self.reason)  # crosses process pools unharmed


@dataclass(frozen=True, slots=True)
class MrcHeader:
    """What is needed to find the pixels."""

    n_images: int
    shape_yx: tuple[int, int]
    mode: int
    dtype: np.dtype[np.generic]  # as stored, byte order included; uint8 for packed four-bit data
    data_offset: int  # bytes before the first pixel
    pixel_size_angst: float  # along x; 0 if the header does not say
    is_volume: bool  # space group not 0: sections of a map rather than separate images
    axes: tuple[int, int, int] = (1, 2, 3)  # of columns, rows, sections: 1 is x, 2 y, 3 z

    @property
    def row_bytes(self) -> int:
        ny_nx = self.shape_yx
        return (ny_nx[1] + 1) // 2 if self.mode == FOUR_BIT else ny_nx[1] * self.dtype.itemsize

    @property
    def image_bytes(self) -> int:
        return self.shape_yx[0] * self.row_bytes

    @property
    def file_bytes(self) -> int:
        return self.data_offset + self.n_images * self.image_bytes


def parse_header(raw: bytes, file_bytes: int, path: str | os.PathLike[str]) -> MrcHeader:
    """Read a header; `file_bytes` is the size of the whole file.

    Raises UnreadableImage if it is no MRC header or the file is shorter than it announces.
    """
    if len(raw) < HEADER_BYTES:
        raise UnreadableImage(path, f"an MRC header needs {HEADER_BYTES} bytes, the file has {file_bytes}")
    order = _byte_order(raw)
    if order is None:
        nx, ny, nz, mode = struct.unpack_from("<4i", raw)
        raise UnreadableImage(
            path,
            f"not an MRC file: columns, rows, sections, mode read {nx}, {ny}, {nz}, {mode}"
            f" (modes known: {', '.join(map(str, _MODES))})",
        )
    header = _interpret(raw, order, _extended_bytes(raw, order))
    if file_bytes < header.file_bytes:
        # A nonsensical extended-header size is forgiven when without it the file fits exactly.
        plain = _interpret(raw, order, 0)
        if file_bytes != plain.file_bytes:
            raise UnreadableImage(path, _too_short(header, file_bytes))
        header = plain
    elif file_bytes > header.file_bytes and _has_doubtful_extension(raw, order):
        raise UnreadableImage(
            path,
            f"{file_bytes - header.file_bytes} bytes more than announced, and an extended header of "
            f"{_announced_extension(raw, order)} bytes of no known kind: where do the pixels begin?",
        )
    return header


def _has_doubtful_extension(raw: bytes, order: str) -> bool:
    """Whether an extended header is announced without the word that says which program's it is."""
    return _announced_extension(raw, order) != 0 and not raw[104:108].strip(b" \0")


def _too_short(header: MrcHeader, file_bytes: int) -> str:
    ny, nx = header.shape_yx
    complete = max(0, file_bytes - header.data_offset) // header.image_bytes
    return (
        f"truncated: {header.n_images} images of {nx} x {ny} in mode {header.mode} need"
        f" {header.file_bytes} bytes, the file has {file_bytes} ({complete} complete images)"
    )


def _byte_order(raw: bytes) -> str | None:
    """'<' or '>': what the machine stamp says if the sizes make sense so, else what makes sense."""
    stamped = ">" if raw[212:214] == b"\x11\x11" else "<"
    for order in (stamped, "<", ">"):
        nx, ny, nz, mode = struct.unpack_from(order + "4i", raw)
        if mode in _MODES and all(0 < n <= _MAX_SIDE for n in (nx, ny, nz)):
            return order
    return None


def _extended_bytes(raw: bytes, order: str) -> int:
    return max(0, _announced_extension(raw, order))


def _announced_extension(raw: bytes, order: str) -> int:
    announced: int = struct.unpack_from(order + "i", raw, 92)[0]
    return announced


def _interpret(raw: bytes, order: str, extended_bytes: int) -> MrcHeader:
    nx, ny, nz, mode = struct.unpack_from(order + "4i", raw)
    pixel = _pixel_size(raw, order, axis=0)
    stamp, flags = struct.unpack_from(order + "2i", raw, 152)
    code = _MODES[mode]
    if mode == 0 and stamp == _IMOD_STAMP and flags & _IMOD_PACKED:
        mode, code, nx = FOUR_BIT, _MODES[FOUR_BIT], 2 * nx  # the header counts bytes along x
        pixel = _pixel_size(raw, order, axis=1)
    elif mode == 0 and stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED:
        code = "u1"
    return MrcHeader(
        n_images=nz,
        shape_yx=(ny, nx),
        mode=mode,
        dtype=np.dtype(order + code),
        data_offset=HEADER_BYTES + extended_bytes,
        pixel_size_angst=round(pixel, 6),
        is_volume=struct.unpack_from(order + "i", raw, 88)[0] != 0,
        axes=_axes(raw, order),
    )


def _axes(raw: bytes, order: str) -> tuple[int, int, int]:
    """MAPC, MAPR, MAPS; the usual ones where the header does not say (zeros are common)."""
    columns, rows, sections = struct.unpack_from(order + "3i", raw, 64)
    said = sorted((columns, rows, sections)) == [1, 2, 3]
    return (columns, rows, sections) if said else (1, 2, 3)


def _pixel_size(raw: bytes, order: str, axis: int) -> float:
    """Å along x (0) or y (1); 0 if the header does not say."""
    sampling = struct.unpack_from(order + "i", raw, 28 + 4 * axis)[0]
    cell = struct.unpack_from(order + "f", raw, 40 + 4 * axis)[0]
    return cell / sampling if sampling > 0 and math.isfinite(cell) and cell > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Minimum, maximum, mean and standard deviation; the default means "not determined" (MRC2014)."""

    minimum: float = 0.0
    maximum: float = -1.0
    mean: float = -2.0
    deviation: float = -1.0


def build_header(
    shape: tuple[int, int, int],  # images (or sections), rows, columns
    dtype: np.dtype[np.generic],
    pixel_size_angst: float,
    *,
    is_volume: bool,
    statistics: Statistics,
    mode: int | None = None,
) -> bytes:
    """A little-endian MRC2014 header; stacks get space group 0 and MZ 1, as RELION writes them."""
    nz, ny, nx = shape
    mz = nz if is_volume else 1
    cell = (nx * pixel_size_angst, ny * pixel_size_angst, mz * pixel_size_angst)
    raw = bytearray(HEADER_BYTES)
    struct.pack_into("<4i", raw, 0, nx, ny, nz, mode_of(dtype) if mode is None else mode)
    struct.pack_into("<3i", raw, 28, nx, ny, mz)
    struct.pack_into("<6f3i", raw, 40, *cell, 90.0, 90.0, 90.0, 1, 2, 3)
    struct.pack_into("<3f", raw, 76, statistics.minimum, statistics.maximum, statistics.mean)
    struct.pack_into("<2i", raw, 88, int(is_volume), 0)
    struct.pack_into("<i", raw, 108, 20140)
    raw[208:216] = b"MAP DD\x00\x00"
    struct.pack_into("<f", raw, 216, statistics.deviation)
    struct.pack_into("<i80s", raw, 220, 1, b"Written by verglas".ljust(80))
    return bytes(raw)


def mode_of(dtype: np.dtype[np.generic]) -> int:
    """The MRC mode of a numpy type; ValueError for types that MRC cannot hold without loss."""
    try:
        return _MODE_OF[dtype.name]
    except KeyError:
        raise ValueError(f"MRC cannot store {dtype.name}; convert to one of {', '.join(_MODE_OF)}") from None
