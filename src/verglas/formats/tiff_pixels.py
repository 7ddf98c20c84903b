"""Pixels of one TIFF page: strips or tiles, decoded and put in place.

A TIFF counts its rows from the top, an MRC file from the bottom. Like RELION, IMOD and MotionCor we turn
the rows over whenever a TIFF is read or written, so that a coordinate means the same in both.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.tiff_directory import TiffPage, read_pages

Array = npt.NDArray[Any]
_DECODERS = {
    1: "",
    5: "lzw_decode",
    8: "deflate_decode",
    32946: "deflate_decode",
    32773: "packbits_decode",
    50000: "zstd_decode",
}  # functions of imagecodecs, which is loaded with the first compressed page
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_SIZES = {"u": (4, 8, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}
HALF_BYTE = 4  # bits: two pixels in a byte, the left one in its upper half; rows begin with a byte
_MOST_EXPANSION = 1 << 14  # no sensible frame shrinks more than this


def page_dtype(page: TiffPage, path: str | os.PathLike[str]) -> np.dtype[Any]:
    """The pixel type in native byte order; UnreadableImage if the page is stored in a way unknown here."""
    kind = _KINDS.get(page.sample_format)
    if kind is None or page.bits not in _SIZES[kind]:
        raise UnreadableImage(
            path, f"{page.bits}-bit pixels of sample format {page.sample_format} are not supported"
        )
    if page.compression not in _DECODERS or page.predictor not in (1, 2):
        raise UnreadableImage(
            path,
            f"compression {page.compression} with predictor {page.predictor} is not supported"
            " (raw, LZW, deflate, zstd, PackBits are)",
        )
    if page.bits == HALF_BYTE:
        if page.predictor != 1:
            raise UnreadableImage(path, f"4-bit pixels with predictor {page.predictor} are not supported")
        return np.dtype(np.uint8)
    return np.dtype(f"{kind}{page.bits // 8}")


def read_page(page: TiffPage, path: str | os.PathLike[str], number: int) -> Array:  # (y, x)
    """Decode a page, rows turned over; `number` (from 1) names the frame in errors.

    Raises UnreadableImage if a strip does not decode to the pixels it announces.
    """
    dtype = page_dtype(page, path)
    across, expected = check_announced(page, path, number)
    rows, columns = page.segment_yx
    height = page.shape_yx[0]
    frame = np.empty(page.shape_yx, dtype)
    from_top = frame[::-1]
    with open(path, "rb") as handle:
        for k in range(expected):
            top, left = k // across * rows, k % across * columns
            tall = rows if page.tiled else min(rows, height - top)
            block = _decode(handle.fileno(), page, k, (tall, columns), dtype)
            if isinstance(block, str):
                raise UnreadableImage(path, f"frame {number}, strip {k + 1}: {block}")
            part = from_top[top : top + tall, left : left + columns]
            part[...] = block[: part.shape[0], : part.shape[1]]
    return frame


def check_announced(page: TiffPage, path: str | os.PathLike[str], number: int) -> tuple[int, int]:
    """Strips or tiles across, and in all; UnreadableImage if such a page cannot come from so many bytes."""
    rows, columns = page.segment_yx
    height, width = page.shape_yx
    across = -(-width // columns)
    expected = across * -(-height // rows)
    stored = int(page.lengths.sum())
    most = stored * (_MOST_EXPANSION if page.compression != 1 else 1)  # bytes of pixels
    if len(page.offsets) < expected or most < height * width * page.bits // 8:
        raise UnreadableImage(
            path,
            f"frame {number}: {expected} strips of {width} x {height} pixels announced,"
            f" found {len(page.offsets)} with {stored} bytes",
        )
    return across, expected


def _decode(
    descriptor: int, page: TiffPage, k: int, shape_yx: tuple[int, int], dtype: np.dtype[Any]
) -> Array | str:
    """The pixels of strip or tile `k`, or what is wrong with it."""
    raw: bytes | bytearray = os.pread(descriptor, int(page.lengths[k]), int(page.offsets[k]))
    two_a_byte = page.bits == HALF_BYTE
    width = -(-shape_yx[1] // 2) if two_a_byte else shape_yx[1]
    expected = shape_yx[0] * width * dtype.itemsize
    decoder = _DECODERS[page.compression]
    if decoder:
        import imagecodecs

        try:
            raw = getattr(imagecodecs, decoder)(raw, out=expected)
        except (RuntimeError, ValueError) as error:  # the codecs' errors derive from RuntimeError
            return f"{type(error).__name__}: {error}"
    if len(raw) < expected:
        return f"expected {expected} bytes of pixels, found {len(raw)}"
    block = np.frombuffer(raw, np.dtype(page.byte_order + dtype.str[1:]), shape_yx[0] * width)
    block = block.reshape(shape_yx[0], width)
    if two_a_byte:
        return np.stack((block >> 4, block & 15), axis=-1).reshape(shape_yx[0], -1)[:, : shape_yx[1]]
    if page.predictor == 2 and dtype.kind in "ui":
        return np.cumsum(block, axis=1, dtype=dtype)
    return block


def read_tiff(path: str | os.PathLike[str]) -> Array:  # (y, x)
    """The first page of a TIFF file (a gain reference, a defect map), rows turned over."""
    return read_page(read_pages(path)[0], path, 1)
