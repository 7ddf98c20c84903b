"""Images of Gatan's DigitalMicrograph (DM3, DM4): as gain references come from K2 and K3 cameras.

A DM file is a tree of named tags, lengths and structure big-endian, values in the byte order that the header
names. The walker keeps small values and remembers where long arrays lie; pixels are read afterwards.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc_header import UnreadableImage

_DIRECTORY, _TAG = 20, 21
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_SIMPLE = {
    **{2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1"},
    **{11: "i8", 12: "u8"},
}
_PIXELS = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8"}
_MAX_DEPTH = 32
_SMALL = 256  # longer arrays are pixels, thumbnails, curves: only their place is kept


class StoredArray(NamedTuple):
    """Where a long array lies in the file."""

    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class _Header:
    size_format: str  # of lengths: ">Q" in DM4, ">I" in DM3
    order: str  # of values


def read_dm(path: str | os.PathLike[str]) -> npt.NDArray[Any]:  # (y, x) or (z, y, x)
    """The largest image of a DM3 or DM4 file, rows turned over as in a TIFF (the file counts from the top).

    Raises UnreadableImage if the file is cut short or holds no image of real numbers.
    """
    with open(path, "rb") as handle:
        walker = _Walker(handle, path)
        images = walker.tags().get("ImageList", {})
        found = [image["ImageData"] for image in images.values() if isinstance(image.get("ImageData"), dict)]
        if not found:
            raise UnreadableImage(path, "no ImageList with ImageData in this DM file")
        data = max(found, key=lambda image: _bytes_of(image.get("Data")))
        return walker.pixels(data)[..., ::-1, :]


def _bytes_of(data: object) -> int:
    return data.n_bytes if isinstance(data, StoredArray) else 0


class _Walker:
    def __init__(self, handle: IO[bytes], path: str | os.PathLike[str]) -> None:
        self._handle = handle
        self._path = path
        self._size = os.fstat(handle.fileno()).st_size
        head = handle.read(16)
        version = int.from_bytes(head[:4], "big")
        if len(head) < 16 or version not in (3, 4):
            raise UnreadableImage(path, f"not a DM3 or DM4 file: it begins with {head[:4]!r}")
        big = version == 4
        order = int.from_bytes(head[12:16] if big else head[8:12], "big")
        self._header = _Header(">Q" if big else ">I", "<" if order == 1 else ">")
        handle.seek(16 if big else 12)

    def tags(self, depth: int = 0) -> dict[str, Any]:
        """One directory of tags; unnamed ones are numbered from "0"."""
        if depth > _MAX_DEPTH:
            raise self._error("tags nested too deep")
        self._take(2)  # sorted, open
        n_tags = self._length()
        result: dict[str, Any] = {}
        for number in range(n_tags):
            kind, name_length = struct.unpack(">BH", self._take(3))
            name = self._take(name_length).decode("latin-1") or str(number)
            # DM4 says how many bytes follow; needed for strings only.
            n_bytes = self._length() if self._header.size_format == ">Q" else None
            if kind == _DIRECTORY:
                result[name] = self.tags(depth + 1)
            elif kind == _TAG:
                end = None if n_bytes is None else self._handle.tell() + n_bytes
                result[name] = self._tag(end)
            else:
                raise self._error(f"tag {name!r} of unknown kind {kind}")
        return result

    def pixels(self, image: dict[str, Any]) -> npt.NDArray[Any]:
        stored, kind, sides = image.get("Data"), image.get("DataType"), image.get("Dimensions")
        if not isinstance(sides, dict) or kind not in _PIXELS:
            raise self._error(f"image of data type {kind} is not supported (real numbers are)")
        shape = [int(side) for side in reversed(sides.values()) if isinstance(side, int)]
        while len(shape) > 2 and shape[0] == 1:
            shape.pop(0)
        dtype = np.dtype(self._header.order + _PIXELS[kind])
        expected = dtype.itemsize * int(np.prod(shape, dtype=object))
        if not isinstance(stored, StoredArray) or stored.n_bytes != expected or len(shape) < 2:
            raise self._error(f"image of shape {shape} needs {expected} bytes, found {stored}")
        raw = np.fromfile(self._path, dtype, expected // dtype.itemsize, offset=stored.offset)
        return raw.astype(dtype.newbyteorder("="), copy=False).reshape(shape)

    def _tag(self, end: int | None) -> Any:
        if self._take(4) != b"%%%%":
            raise self._error("tag data does not begin with %%%%")
        n_info = self._length()
        if not 0 < n_info <= 4096:
            raise self._error(f"tag described by {n_info} numbers")
        size = struct.calcsize(self._header.size_format)
        info = list(np.frombuffer(self._take(n_info * size), f">u{size}").tolist())
        kind = info[0]
        if kind in _SIMPLE:
            dtype = self._dtype(kind)
            return np.frombuffer(self._take(dtype.itemsize), dtype)[0].item()
        if kind == _STRING and n_info >= 2:
            n_bytes = info[1] if end is None else max(0, end - self._handle.tell())
            return self._take(n_bytes).decode("utf-16-le", "replace")
        if kind == _STRUCT:
            return self._skip(self._struct_bytes(info))
        if kind == _ARRAY and n_info >= 3:
            one = self._struct_bytes(info[1:-1]) if info[1] == _STRUCT else self._bytes_per(info[1])
            return self._skip(one * info[-1])
        raise self._error(f"tag of unknown type {kind}")

    def _skip(self, n_bytes: int) -> StoredArray:
        stored = StoredArray(self._handle.tell(), n_bytes)
        if stored.offset + n_bytes > self._size:
            raise self._cut(stored.offset, n_bytes)
        self._handle.seek(n_bytes, os.SEEK_CUR)
        return stored

    def _struct_bytes(self, info: list[int]) -> int:
        """Bytes of a structure described as [15, 0, fields, (0, type) ...]."""
        return sum(self._bytes_per(kind) for kind in info[4::2])

    def _bytes_per(self, kind: int) -> int:
        return self._dtype(kind).itemsize

    def _dtype(self, kind: int) -> np.dtype[Any]:
        if kind not in _SIMPLE:
            raise self._error(f"value of unknown type {kind}")
        return np.dtype(self._header.order + _SIMPLE[kind])

    def _length(self) -> int:
        size_format = self._header.size_format
        value: int = struct.unpack(size_format, self._take(struct.calcsize(size_format)))[0]
        return value

    def _take(self, n_bytes: int) -> bytes:
        at = self._handle.tell()
        if at + n_bytes > self._size:
            raise self._cut(at, n_bytes)
        return self._handle.read(n_bytes)

    def _cut(self, at: int, n_bytes: int) -> UnreadableImage:
        return self._error(f"truncated: expected {n_bytes} bytes at {at}, the file ends at {self._size}")

    def _error(self, reason: str) -> UnreadableImage:
        return UnreadableImage(self._path, reason)
