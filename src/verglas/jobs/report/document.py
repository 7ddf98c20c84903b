"""A report as data: a head, and sections of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from verglas.jobs.report.plot import Plot


@dataclass(frozen=True)
class Tiles:
    """Numbers that are seen first: (value, what it is)."""

    tiles: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Facts:
    """What is said in a line each, or side by side: (name, value)."""

    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of text; `numbers` are columns that stand to the right, `marked` rows that matter."""

    heads: Sequence[str]  # empty: none
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    marked: Sequence[int] = ()
    more: str = ""  # what was left out


@dataclass(frozen=True)
class Text:
    """A paragraph: `quote` is one to be copied, `soft` a remark, `bad` something that went wrong."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Plots:
    """Plots side by side, so many in a row."""

    plots: Sequence[Plot]
    columns: int = 3


@dataclass(frozen=True, eq=False)
class Picture:
    """An 8-bit image (h, w) or (h, w, 3) with its caption; `width` is a share of the page's."""

    image: NDArray[np.uint8]
    caption: str = ""
    width: float = 1.0


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side."""

    pictures: Sequence[Picture]


Block = Tiles | Facts | Table | Text | Plots | Picture | Pictures


class Rank(IntEnum):
    """Where a section stands in a report, whoever made it."""

    RESULT = 0
    SESSION = 1
    ASIDE = 2
    MAP = 3
    CLASSES = 4
    MICROGRAPHS = 5
    TIME = 6
    HISTORY = 7
    METHODS = 8


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]
    rank: Rank


@dataclass(frozen=True)
class Report:
    """All of it; `soft` is where it comes from, `particulars` what was measured and how."""

    title: str
    soft: str
    particulars: Sequence[tuple[str, str]]
    sections: Sequence[Section]
