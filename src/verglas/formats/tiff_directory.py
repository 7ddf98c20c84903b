"""The directories (IFDs) of a TIFF or BigTIFF file, read with suspicion.

Only what image frames need: sizes, types, and where the strips or tiles lie. Every offset is checked
against the length of the file, chains that bite their tail are noticed, and nothing but directories is read:
walking a movie costs some 30 µs per frame, however large it is.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc_header import UnreadableImage

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER = 254, 256, 257, 258, 259, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 277, 278, 279
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT = (
    *(317, 322, 323, 324, 325),
    339,
)
EER_RUN_BITS, EER_HORIZONTAL_BITS, EER_VERTICAL_BITS = 65007, 65008, 65009
_WANTED = {
    *(SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, STRIP_OFFSETS, SAMPLES),
    *(ROWS_PER_STRIP, STRIP_COUNTS, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS),
    *(SAMPLE_FORMAT, EER_RUN_BITS, EER_HORIZONTAL_BITS, EER_VERTICAL_BITS),
}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_MAX_PAGES = 1 << 20
_MAX_SIDE = 1 << 20
_READ_AHEAD = 1024  # bytes: usually a whole directory in one call

Tags = dict[int, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class TiffPage:
    """One image of a TIFF file: its layout, and its strips (tiles) in order."""

    shape_yx: tuple[int, int]
    compression: int
    predictor: int
    bits: int
    sample_format: int  # 1 unsigned, 2 signed, 3 floating
    byte_order: str
    segment_yx: tuple[int, int]  # rows and columns of a full strip or tile
    tiled: bool
    offsets: npt.NDArray[np.int64]  # of the strips or tiles, in bytes
    lengths: npt.NDArray[np.int64]
    reduced: bool  # a thumbnail of another page
    tags: Tags


class _Layout(NamedTuple):
    """Sizes that differ between TIFF and BigTIFF."""

    order: str
    count_format: str
    entry_bytes: int
    offset_format: str
    inline_bytes: int


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_pages(path: str | os.PathLike[str]) -> list[TiffPage]:
    """Every page of the file, in order.

    Raises UnreadableImage if the chain of directories is broken or a strip lies beyond the end of the
    file (a file cut short or still being written); OSError if it cannot be opened.
    """
    with open(path, "rb") as handle:
        return _Walker(handle.fileno(), path).pages()


class _Walker:
    def __init__(self, descriptor: int, path: str | os.PathLike[str]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._size = os.fstat(descriptor).st_size
        head = self._bytes(0, min(16, self._size), "header")
        if not is_tiff(head):
            raise UnreadableImage(path, f"not a TIFF file: it begins with {head[:4]!r}")
        order = "<" if head[:2] == b"II" else ">"
        if 43 in head[2:4]:
            self._layout = _Layout(order, "Q", 20, "Q", 8)
            self._first = 8
        else:
            self._layout = _Layout(order, "H", 12, "I", 4)
            self._first = 4

    def pages(self) -> list[TiffPage]:
        layout = self._layout
        width = struct.calcsize(layout.offset_format)
        raw = self._bytes(self._first, width, "offset of the first directory")
        (offset,) = struct.unpack(layout.order + layout.offset_format, raw)
        pages: list[TiffPage] = []
        seen: set[int] = set()
        while offset:
            if offset in seen or len(pages) >= _MAX_PAGES:
                raise self._error(f"directory {len(pages) + 1} points back to byte {offset}")
            seen.add(offset)
            tags, offset = self._directory(offset, len(pages) + 1)
            pages.append(self._page(tags, len(pages) + 1))
        if not pages:
            raise self._error("no image: the first directory is not written yet")
        return pages

    def _directory(self, offset: int, number: int) -> tuple[Tags, int]:
        """The wanted tags of one directory, and the offset of the next."""
        order, count_format, entry_bytes, offset_format, _ = self._layout
        what = f"directory of frame {number}"
        count_bytes = struct.calcsize(count_format)
        ahead = self._bytes(offset, max(count_bytes, min(_READ_AHEAD, self._size - offset)), what)
        (n_entries,) = struct.unpack_from(order + count_format, ahead)
        if not 0 < n_entries <= 4096:
            raise self._error(f"{what} at byte {offset} announces {n_entries} entries")
        length = count_bytes + n_entries * entry_bytes + struct.calcsize(offset_format)
        raw = ahead if len(ahead) >= length else self._bytes(offset, length, what)
        tags: Tags = {}
        for at in range(count_bytes, count_bytes + n_entries * entry_bytes, entry_bytes):
            tag, kind = struct.unpack_from(order + "HH", raw, at)
            if tag in _WANTED:
                if kind not in _INTEGERS:
                    raise self._error(f"tag {tag} of frame {number} is of type {kind}, no number")
                tags[tag] = self._values(raw, at + 4, kind, f"tag {tag} of frame {number}")
        (following,) = struct.unpack_from(order + offset_format, raw, length - _width(offset_format))
        return tags, following

    def _values(self, raw: bytes, at: int, kind: int, what: str) -> npt.NDArray[np.int64]:
        order, _, _, offset_format, inline_bytes = self._layout
        (count,) = struct.unpack_from(order + offset_format, raw, at)
        at += _width(offset_format)
        dtype = np.dtype(order + _INTEGERS[kind])
        length = count * dtype.itemsize
        if length > inline_bytes:
            (offset,) = struct.unpack_from(order + offset_format, raw, at)
            raw, at = self._bytes(offset, length, what), 0
        return np.frombuffer(raw, dtype, count, at).astype(np.int64)

    def _page(self, tags: Tags, number: int) -> TiffPage:
        height, width = (self._one(tags, tag, 0) for tag in (HEIGHT, WIDTH))
        if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
            raise self._error(f"frame {number} announces {width} x {height} pixels")
        if self._one(tags, SAMPLES, 1) != 1 or self._one(tags, FILL_ORDER, 1) != 1:
            raise self._error(f"frame {number} is a colour image or has its bits reversed")
        tiled = TILE_OFFSETS in tags
        segment_yx = self._segment_shape(tags, (height, width), tiled)
        offsets, lengths = self._segments(tags, tiled, number)
        return TiffPage(
            shape_yx=(height, width),
            compression=self._one(tags, COMPRESSION, 1),
            predictor=self._one(tags, PREDICTOR, 1),
            bits=self._one(tags, BITS, 1),
            sample_format=self._one(tags, SAMPLE_FORMAT, 1),
            byte_order=self._layout.order,
            segment_yx=segment_yx,
            tiled=tiled,
            offsets=offsets,
            lengths=lengths,
            reduced=bool(self._one(tags, SUBFILE, 0) & 1),
            tags=tags,
        )

    def _segment_shape(self, tags: Tags, shape_yx: tuple[int, int], tiled: bool) -> tuple[int, int]:
        if tiled:
            shape = self._one(tags, TILE_HEIGHT, 0), self._one(tags, TILE_WIDTH, 0)
            if not all(0 < side <= _MAX_SIDE for side in shape):
                raise self._error(f"tiles of {shape[1]} x {shape[0]} pixels")
            return shape
        rows = self._one(tags, ROWS_PER_STRIP, shape_yx[0])
        return (shape_yx[0] if rows <= 0 else min(rows, shape_yx[0])), shape_yx[1]

    def _segments(
        self, tags: Tags, tiled: bool, number: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        offsets = tags.get(TILE_OFFSETS if tiled else STRIP_OFFSETS, np.empty(0, np.int64))
        counts = tags.get(TILE_COUNTS if tiled else STRIP_COUNTS, np.empty(0, np.int64))
        if len(offsets) == 0 or len(offsets) != len(counts):
            raise self._error(
                f"frame {number} has {len(offsets)} strip offsets and {len(counts)} strip lengths"
            )
        beyond = (offsets < 8) | (counts <= 0) | (offsets > self._size - counts)
        if beyond.any():
            k = int(np.argmax(beyond))
            raise self._error(
                f"truncated: strip {k + 1} of {len(offsets)} of frame {number} has {counts[k]} bytes"
                f" at {offsets[k]}, the file ends at {self._size}"
            )
        return offsets, counts

    def _one(self, tags: Tags, tag: int, default: int) -> int:
        values = tags.get(tag)
        return default if values is None or len(values) == 0 else int(values[0])

    def _bytes(self, offset: int, length: int, what: str) -> bytes:
        if length > 0 and offset + length <= self._size:
            raw = os.pread(self._descriptor, length, offset)
            if len(raw) == length:
                return raw
        raise self._error(
            f"truncated: {what} needs {length} bytes at {offset}, the file ends at {self._size}"
        )

    def _error(self, reason: str) -> UnreadableImage:
        return UnreadableImage(self._path, reason)


def _width(integer_format: str) -> int:
    return struct.calcsize("<" + integer_format)
