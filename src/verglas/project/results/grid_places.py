"""Grid square and hole of every movie: from EPU's folders and metadata, from SerialEM's mdoc, or from names.

EPU names square and hole in the path; `Metadata/GridSquare_N.dm` says where they lie. SerialEM's mdoc has the
stage position and the image shift, both in µm: their sum is the hole, and positions closer than a grid
bar form a square. Without an mdoc the names of SerialEM's multi-shot records (`..._X+1Y-1-2.tif`) tell holes
apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from verglas.formats.epu import UnreadableEpu, read_epu_image, xml_of_movie
from verglas.formats.epu_grid import HOLE, EpuSquare, read_epu_square, square_and_hole, square_file
from verglas.formats.mdoc import MdocSection, UnreadableMdoc, mdoc_of_movie, read_mdoc

BAR_UM = 15.0  # positions closer than this lie in one square: holes are 1-4 µm apart, bars 20 µm wide
SAME_HOLE_UM = 0.6  # positions closer than this are exposures of one hole
READ_PER_LOOK = 400  # mdoc files read in one look
_MULTI_SHOT = re.compile(r"(.*)_X([+-]?\d+)Y([+-]?\d+)-\d+$")
Point = tuple[float, float]
Index = dict[tuple[int, int], list[tuple[Point, int]]]  # positions by cells of BAR_UM


@dataclass(frozen=True)
class Square:
    """A grid square; x, y in µm of the stage where known."""

    name: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Hole:
    """A hole of a square; x, y in the square's picture or in µm, where known."""

    name: str
    square: int
    x: float | None = None
    y: float | None = None


@dataclass
class GridPlaces:
    """Grows while movies come: `hole_of` has one entry for each movie looked at, -1 for no place."""

    squares: list[Square] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    hole_of: list[int] = field(default_factory=list)
    source: str = ""  # what told the places
    _square_of: dict[str, int] = field(default_factory=dict)
    _hole_of: dict[tuple[int, str], int] = field(default_factory=dict)
    _known: dict[str, EpuSquare] = field(default_factory=dict)
    _near: Index = field(default_factory=dict)  # holes of mdoc positions
    _stages: Index = field(default_factory=dict)  # squares of stage positions

    def extend(self, movies: Iterable[Path]) -> None:
        """Look at further movies, a bounded number of files at a time."""
        read = 0
        for movie in movies:
            if read >= READ_PER_LOOK:
                return
            hole, cost = self._place(movie)
            self.hole_of.append(hole)
            read += cost

    def as_dict(self) -> dict[str, Any]:
        return {
            "squares": [asdict(each) for each in self.squares],
            "holes": [asdict(each) for each in self.holes],
            "hole_of": self.hole_of,
            "source": self.source,
        }

    def _place(self, movie: Path) -> tuple[int, int]:
        """Index of a movie's hole (-1: unknown), and how many files were read for it."""
        named = square_and_hole(movie)
        if named is not None:
            self.source = "EPU"
            return self._epu(movie, *named), 0
        hole = HOLE.search(movie.name)
        stage = _epu_stage(movie) if hole is not None else None
        if hole is not None and stage is not None:  # EPU's files, without its folders
            self.source = "EPU"
            return self._hole(self._square_at(stage), hole[1]), 1
        section = _section_of(movie)
        place = section.numbers_of("StagePosition") if section is not None else ()
        if section is not None and len(place) >= 2:
            self.source = "SerialEM's mdoc"
            shift = section.image_shift or (0.0, 0.0)
            return self._hole_at((place[0] + shift[0], place[1] + shift[1])), 1
        shot = _MULTI_SHOT.match(movie.name.split(".", 1)[0])
        if shot is not None:
            self.source = self.source or "SerialEM's names"
            square = self._square(shot[1])
            return self._hole(square, f"X{shot[2]}Y{shot[3]}", (float(shot[2]), -float(shot[3]))), 1
        return -1, 1

    def _epu(self, movie: Path, square: str, hole: str) -> int:
        if square not in self._known:
            self._known[square] = _epu_square(movie)
        known = self._known[square]
        return self._hole(self._square(square, known.stage_um), hole, known.holes.get(hole))

    def _square(self, name: str, at: Point | None = None) -> int:
        if name not in self._square_of:
            self._square_of[name] = len(self.squares)
            self.squares.append(Square(name, *(at or (None, None))))
        return self._square_of[name]

    def _hole(self, square: int, name: str, at: Point | None = None) -> int:
        key = (square, name)
        if key not in self._hole_of:
            self._hole_of[key] = len(self.holes)
            self.holes.append(Hole(name, square, *(at or (None, None))))
        return self._hole_of[key]

    def _hole_at(self, at: Point) -> int:
        """The hole at a position in µm, or a new one in the square of its neighbours."""
        distance, hole = _closest(self._near, at)
        if distance <= SAME_HOLE_UM:
            return hole
        square = self._square_at(at)
        hole = self._hole(square, f"{at[0]:.1f}, {at[1]:.1f}", (at[0], -at[1]))
        self._near.setdefault(_cell(at), []).append((at, hole))
        return hole

    def _square_at(self, at: Point) -> int:
        """The square that a stage position lies in: that of positions closer than a grid bar."""
        distance, square = _closest(self._stages, at)
        if distance > BAR_UM:
            square = self._square(f"{len(self.squares) + 1}", at)
        if distance > SAME_HOLE_UM:
            self._stages.setdefault(_cell(at), []).append((at, square))
        return square


def _closest(index: Index, at: Point) -> tuple[float, int]:
    """Distance and number of the closest known position within a grid bar."""
    column, row = _cell(at)
    near = (
        (_apart(at, centre), number)
        for y in (row - 1, row, row + 1)
        for x in (column - 1, column, column + 1)
        for centre, number in index.get((x, y), ())
    )
    return min(near, default=(float("inf"), -1))


def _cell(at: Point) -> tuple[int, int]:
    return int(at[0] // BAR_UM), int(at[1] // BAR_UM)


def _apart(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _epu_square(movie: Path) -> EpuSquare:
    path = square_file(movie)
    try:
        return read_epu_square(path) if path is not None else EpuSquare()
    except UnreadableEpu:
        return EpuSquare()  # still being written: the holes are shown without their places


def _section_of(movie: Path) -> MdocSection | None:
    mdoc = mdoc_of_movie(movie)
    try:
        return read_mdoc(mdoc).section_of(movie.name) if mdoc is not None else None
    except UnreadableMdoc:
        return None


def _epu_stage(movie: Path) -> Point | None:
    """Stage position in µm of EPU's XML beside a movie."""
    xml = xml_of_movie(movie)
    try:
        return read_epu_image(xml).stage_um if xml is not None else None
    except UnreadableEpu:
        return None
