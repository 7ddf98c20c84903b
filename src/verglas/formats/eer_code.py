"""Bit widths of EER event codes; apart from the decoder, so that looking at a movie compiles nothing."""

from __future__ import annotations

from typing import NamedTuple


class EventCode(NamedTuple):
    """Bit widths of one frame's code: the run of empty pixels, then the place in the pixel."""

    run_bits: int = 7
    horizontal_bits: int = 2
    vertical_bits: int = 2


CODES = {65000: EventCode(8, 2, 2), 65001: EventCode(7, 2, 2)}  # by TIFF compression
