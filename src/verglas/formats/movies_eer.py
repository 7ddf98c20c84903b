"""EER movies: hardware frames of electron events, summed in groups as they are read."""

from __future__ import annotations

import os
from typing import ClassVar, NamedTuple

import numpy as np

from verglas.formats.eer_code import CODES, EventCode
from verglas.formats.movies_base import Array, Movie, MovieInfo, UnreadableMovie
from verglas.formats.movies_tiff import check_written
from verglas.formats.tiff_directory import EER_HORIZONTAL_BITS, EER_RUN_BITS, EER_VERTICAL_BITS, TiffPage

LEGACY_FOOTER = b"ThermoFisherECComprOK000"
_LEGACY_SIDE = 4096
_BLOCK = 1 << 24


class EerFrame(NamedTuple):
    """One hardware frame: where its code lies and how it is packed."""

    segments: tuple[tuple[int, int], ...]  # offset and length in bytes
    code: EventCode
    shape_yx: tuple[int, int]


class EerMovie(Movie):
    """Groups of hardware frames; pixels are counts (uint16; uint8 at four times finer pixels)."""

    kind: ClassVar[str] = "eer"

    def __init__(self, path: str, hardware: list[EerFrame], grouping: int, upsampling: int) -> None:
        self._hardware = hardware
        self.grouping = grouping
        self.upsampling = upsampling
        height, width = hardware[0].shape_yx
        _check_hardware(path, hardware, grouping, upsampling)
        super().__init__(
            MovieInfo(
                path=path,
                kind=self.kind,
                n_frames=len(hardware) // grouping,
                shape_yx=(height * upsampling, width * upsampling),
                # 16384 x 16384 counts: a quarter of a gigabyte in one byte each, and never near 255
                dtype=np.dtype(np.uint8 if upsampling == 4 else np.uint16),
                pixel_size_angst=0.0,
            )
        )

    def _read(self, index: int) -> Array:
        from verglas.formats.eer import add_events

        counts = np.zeros(self.shape_yx, self.dtype)
        first = index * self.grouping
        with open(self.path, "rb") as handle:
            for number in range(first, first + self.grouping):
                frame = self._hardware[number]
                data = b"".join(
                    os.pread(handle.fileno(), length, offset) for offset, length in frame.segments
                )
                wrong = add_events(data, frame.code, frame.shape_yx, self.upsampling, counts)
                if wrong:
                    raise UnreadableMovie(self.path, f"hardware frame {number + 1}: {wrong}")
        return counts


def _check_hardware(path: str, hardware: list[EerFrame], grouping: int, upsampling: int) -> None:
    if len(hardware) < grouping:
        raise UnreadableMovie(
            path, f"{len(hardware)} hardware frames, fewer than the EER fractionation of {grouping}"
        )
    for number, frame in enumerate(hardware, 1):
        if frame.shape_yx != hardware[0].shape_yx:
            raise UnreadableMovie(
                path, f"hardware frame {number} is {frame.shape_yx}, frame 1 {hardware[0].shape_yx}"
            )
        _check_size(path, number, frame)
    fewest = min(min(frame.code[1:]) for frame in hardware)
    if 1 << fewest < upsampling:
        raise UnreadableMovie(
            path, f"{fewest} sub-pixel bits allow upsampling {1 << fewest}, asked for {upsampling}"
        )


def _check_size(path: str, number: int, frame: EerFrame) -> None:
    """Damaged size tags may ask for terabytes: no code passes more pixels than its longest run."""
    height, width = frame.shape_yx
    bits = 8 * sum(length for _, length in frame.segments)
    most = (bits // frame.code.run_bits) * ((1 << frame.code.run_bits) - 1)
    if height * width > most:
        raise UnreadableMovie(
            path,
            f"hardware frame {number}: {width} x {height} pixels announced, its {bits // 8} bytes of "
            f"events reach {most} at most: the size is damaged",
        )


def eer_frames(path: str, pages: list[TiffPage]) -> list[EerFrame]:
    """The event frames among the pages of an EER file (it may also hold a summed image)."""
    events = [page for page in pages if 65000 <= page.compression <= 65002]
    check_written(path, events[-1])
    frames = []
    for number, page in enumerate(events, 1):
        code = CODES.get(page.compression) or _code_of_tags(page)
        if not (1 <= code.run_bits <= 16 and all(0 <= bits <= 2 for bits in code[1:])):
            raise UnreadableMovie(path, f"hardware frame {number}: {code} cannot be right")
        segments = tuple(zip(page.offsets.tolist(), page.lengths.tolist()))
        frames.append(EerFrame(segments, code, page.shape_yx))
    return frames


def _code_of_tags(page: TiffPage) -> EventCode:
    tags = (EER_RUN_BITS, EER_HORIZONTAL_BITS, EER_VERTICAL_BITS)
    values = (
        int(page.tags[tag][0]) if tag in page.tags else default for tag, default in zip(tags, EventCode())
    )
    return EventCode(*values)


def legacy_frames(path: str) -> list[EerFrame]:
    """Frames of an early file without TIFF framing: 8-bit codes, each closed by a footer string."""
    ends: list[int] = []
    size = os.path.getsize(path)
    with open(path, "rb") as handle:
        for start in range(0, size, _BLOCK):
            block = os.pread(handle.fileno(), _BLOCK + len(LEGACY_FOOTER) - 1, start)
            at = block.find(LEGACY_FOOTER)
            while at >= 0:
                ends.append(start + at)
                at = block.find(LEGACY_FOOTER, at + len(LEGACY_FOOTER))
    starts = [0, *(end + len(LEGACY_FOOTER) for end in ends[:-1])]
    shape = (_LEGACY_SIDE, _LEGACY_SIDE)
    return [EerFrame(((start, end - start),), CODES[65000], shape) for start, end in zip(starts, ends)]
