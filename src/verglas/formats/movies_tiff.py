"""Movies in TIFF files: one page per frame (raw, LZW, deflate, zstd, PackBits; 4 to 32 bits).

Measured on one busy core, counts of 0.7 per pixel in 4092 x 5760 bytes, as stored: LZW 86 ms (11 frames/s,
all of it the decoder), deflate 47 ms, zstd 27 ms, raw 7 ms; conversion to float32 adds 20 ms.
"""

from __future__ import annotations

import os
from typing import ClassVar

import numpy as np

from verglas.formats.movies_base import Array, Movie, MovieInfo, UnreadableMovie
from verglas.formats.mrc import unpack_counts
from verglas.formats.tiff_directory import TiffPage
from verglas.formats.tiff_pixels import check_announced, page_dtype, read_page

_TAIL_BYTES = 64
_PACKED_SIDES = ({5760, 8184}, {4092, 11520}, {3710, 7676}, {3838, 7420})
"""Bytes across and down of super-resolution frames of K3 and K2 cameras, upright or turned, with two counts
in every byte. Nothing in a TIFF file says so: SerialEM, IMOD and RELION go by the size alone."""


class TiffMovie(Movie):
    """Full-size pages of a TIFF file as frames (thumbnails are passed over)."""

    kind: ClassVar[str] = "tiff"

    def __init__(self, path: str, pages: list[TiffPage]) -> None:
        self._pages = [page for page in pages if not page.reduced] or pages
        first = self._pages[0]
        dtype = page_dtype(first, path)
        for number, page in enumerate(self._pages, 1):
            if page.shape_yx != first.shape_yx or page_dtype(page, path) != dtype:
                raise UnreadableMovie(
                    path, f"frame {number} is {_described(page)}, frame 1 is {_described(first)}"
                )
            check_announced(page, path, number)
        if first.compression != 1:
            check_written(path, self._pages[-1])
        height, width = first.shape_yx
        packed = first.bits == 8 and dtype == np.uint8 and {height, width} in _PACKED_SIDES
        super().__init__(
            MovieInfo(
                path=path,
                kind=self.kind,
                n_frames=len(self._pages),
                shape_yx=(height, 2 * width if packed else width),
                dtype=dtype,
                pixel_size_angst=0.0,
                packed=packed,
            )
        )

    def _read(self, index: int) -> Array:
        frame = read_page(self._pages[index], self.path, index + 1)
        return unpack_counts(frame) if self.info.packed else frame


def check_written(path: str, page: TiffPage) -> None:
    """Notice a file whose length was reserved before its contents arrived.

    No compressed stream ends in 64 zero bytes.
    """
    last = int(page.offsets.argmax())
    end = int(page.offsets[last] + page.lengths[last])
    length = min(int(page.lengths[last]), _TAIL_BYTES)
    with open(path, "rb") as handle:
        tail = os.pread(handle.fileno(), length, end - length)
    if length == _TAIL_BYTES and not any(tail):
        raise UnreadableMovie(path, f"not complete: only zeros at byte {end - length}, in the last frame")


def _described(page: TiffPage) -> str:
    return f"{page.shape_yx[1]} x {page.shape_yx[0]} pixels of {page.bits} bits"
