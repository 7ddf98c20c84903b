"""Writing movies, for the simulator and for tests: MRC, TIFF and EER.

What is written here reads back equal through `formats.movies`; rows of TIFF files are turned over on the way
out as they are on the way in.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.formats.eer import encode_events
from verglas.formats.eer_code import CODES, EventCode
from verglas.formats.stack_writer import StackWriter

_TIFF_COMPRESSIONS = {"none": None, "lzw": "lzw", "deflate": "zlib", "zstd": "zstd"}
_ROWS_PER_STRIP = 256


def write_movie_mrc(
    path: str | os.PathLike[str],
    frames: Iterable[npt.ArrayLike],  # (y, x) each
    pixel_size_angst: float,
    *,
    dtype: npt.DTypeLike = np.int8,
    durable: bool = True,
) -> None:
    """Write frames as they come. uint8 counts are stored as int8 (MRC mode 0) if they fit (up to 127).

    Raises ValueError if values do not fit into the type.
    """
    stored = np.int8 if np.dtype(dtype) == np.uint8 else dtype
    with StackWriter(path, pixel_size_angst, dtype=stored, durable=durable) as stack:
        for frame in frames:
            stack.add(frame)


def write_movie_tiff(
    path: str | os.PathLike[str],
    frames: Iterable[npt.ArrayLike],  # (y, x) each, of one dtype: uint8, uint16, int16, float32 ...
    *,
    compression: str = "lzw",
    durable: bool = True,
) -> None:
    """Write one page per frame; `compression` is "none", "lzw", "deflate" or "zstd"."""
    import tifffile

    if compression not in _TIFF_COMPRESSIONS:
        raise ValueError(f"TIFF compression {compression!r}: expected one of {', '.join(_TIFF_COMPRESSIONS)}")
    with atomic_write(path, durable=durable) as out, tifffile.TiffWriter(out, bigtiff=False) as tiff:
        for frame in frames:
            tiff.write(
                np.ascontiguousarray(np.asarray(frame)[::-1]),
                compression=_TIFF_COMPRESSIONS[compression],
                photometric="minisblack",
                rowsperstrip=_ROWS_PER_STRIP,
                metadata=None,
                software="verglas",
                contiguous=False,
            )


def write_movie_eer(
    path: str | os.PathLike[str],
    frames: Iterable[npt.ArrayLike],  # (n, 2) each: electrons, y and x in quarters of a pixel
    shape_yx: tuple[int, int],  # of the sensor
    *,
    compression: int = 65001,
    code: EventCode | None = None,
    durable: bool = True,
) -> None:
    """Write hardware frames of electron events as a BigTIFF.

    `compression` 65000 (8-bit runs), 65001 (7-bit runs), both with 2 + 2 sub-pixel bits, or 65002 with
    the widths of `code` (default 7 + 1 + 1). RELION takes sensors of 4096 x 4096 pixels only.
    """
    widths = CODES.get(compression) or code or EventCode(7, 1, 1)
    with atomic_write(path, durable=durable) as out:
        out.write(b"II" + struct.pack("<HHHQ", 43, 8, 0, 16))
        blank = _directory(shape_yx, compression, widths, 0, 0, 0)
        at, previous = 16, 0
        for frame in frames:
            # A directory is followed by its data, so the next directory's place is known at once.
            data = encode_events(frame, widths, shape_yx)
            following = at + len(blank) + len(data)
            out.write(_directory(shape_yx, compression, widths, at + len(blank), len(data), following))
            out.write(data)
            previous, at = at, following
        if previous == 0:
            raise ValueError(f"{os.fspath(path)}: a movie needs at least one frame")
        _end_chain(out, previous, len(blank))


def _directory(
    shape_yx: tuple[int, int], compression: int, code: EventCode, offset: int, length: int, following: int
) -> bytes:
    entries: list[tuple[int, int, Any]] = [  # tag, type (3 short, 4 long, 16 long8), value
        (256, 4, shape_yx[1]),
        (257, 4, shape_yx[0]),
        (258, 3, 1),
        (259, 3, compression),
        (262, 3, 1),
        (273, 16, offset),
        (277, 3, 1),
        (278, 4, shape_yx[0]),
        (279, 16, length),
    ]
    if compression == 65002:
        entries += [(tag, 3, bits) for tag, bits in zip((65007, 65008, 65009), code)]
    body = b"".join(struct.pack("<HHQQ", tag, kind, 1, value) for tag, kind, value in entries)
    return struct.pack("<Q", len(entries)) + body + struct.pack("<Q", following)


def _end_chain(out: IO[bytes], directory: int, directory_bytes: int) -> None:
    out.seek(directory + directory_bytes - 8)
    out.write(struct.pack("<Q", 0))
