"""Coordinates in plain text: columns under headings (topaz, CryoPPP, tables of one's own) or bare x and y."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from verglas.jobs.coordinates.pick_list import (
    FOM,
    PickList,
    UnreadableCoordinates,
    X,
    Y,
    check_no_names,
    is_number,
    numbers,
    pick_table,
    whole_text_of,
)

# CryoPPP's own headings; its rows count from the other end of the file: in EMPIAR-10017 three pickers that
# read the MRC agree with its people only after y -> height - y (median distance 7 px against 64)
_CRYOPPP = ("x-coordinate", "y-coordinate")
_XY = (
    _CRYOPPP,
    ("x", "y"),
    ("x_coord", "y_coord"),
    ("x_coordinate", "y_coordinate"),
    ("xcoord", "ycoord"),
    ("coord_x", "coord_y"),
    ("coordinate_x", "coordinate_y"),
    ("coordinatex", "coordinatey"),
    ("rlncoordinatex", "rlncoordinatey"),
    ("center_x", "center_y"),
    ("centre_x", "centre_y"),
    ("x_center", "y_center"),
    ("x_px", "y_px"),
)
_NAME = (
    "micrograph_name",
    "micrograph",
    "micrographname",
    "rlnmicrographname",
    "image_name",
    "image",
    "filename",
    "file_name",
    "file",
    "mic",
    "mic_name",
    "name",
    "path",
    "micrograph_path",
    "location/micrograph_path",
)
_SCORE = ("score", "fom", "confidence", "rlnautopickfigureofmerit", "ncc_score", "probability")

Rows = Sequence[tuple[int, list[str]]]  # line number and words


def text_picks(path: Path) -> PickList | None:
    """Words between blanks: x y, more behind; or under headings."""
    return _picks(path, list(lines_of(path)))


def csv_picks(path: Path) -> PickList | None:
    """Cells between commas, semicolons or tabs."""
    lines = [line.removesuffix("\r") for line in whole_text_of(path).split("\n")]
    mark = max(",;\t", key=next((line for line in lines if line.strip()), "").count)
    found: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, start=1):
        try:
            cells = next(csv.reader([line], delimiter=mark, strict=True), [])
        except csv.Error as error:
            raise UnreadableCoordinates(f"{path}, line {number}: {error}") from None
        words = [cell.strip() for cell in cells]
        if any(words) and not words[0].startswith("#"):
            found.append((number, words))
    return _picks(path, found)


def lines_of(path: Path) -> Iterable[tuple[int, list[str]]]:
    """Lines that are neither empty nor comments, as words."""
    for number, line in enumerate(whole_text_of(path).split("\n"), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


@dataclass(frozen=True)
class _Columns:
    """Which column holds what."""

    x: int
    y: int
    name: int | None = None
    score: int | None = None
    from_top: bool = False


def _picks(path: Path, rows: Rows) -> PickList | None:
    if not rows:
        return None
    columns, width, rows = _heading(path, rows)
    for line, words in rows:
        if len(words) != width:
            raise UnreadableCoordinates(
                f"{path}, line {line}: expected {width} columns, found {len(words)}: {' '.join(words)[:60]!r}"
            )
    if not rows:
        return None
    wanted = {X: columns.x, Y: columns.y}
    if columns.score is not None:
        wanted[FOM] = columns.score
    read = [numbers(path, line, [words[at] for at in wanted.values()]) for line, words in rows]
    table = pick_table({label: [row[n] for row in read] for n, label in enumerate(wanted)})
    names = None if columns.name is None else [words[columns.name] for _, words in rows]
    return PickList(table, names, "from the top" if columns.from_top else "pixels")


def _heading(path: Path, rows: Rows) -> tuple[_Columns, int, Rows]:
    """What the columns hold, how many there are, and the rows; without a heading x and y come first."""
    line, words = rows[0]
    low = [word.lower().lstrip("_") for word in words]
    pair = next(((x, y) for x, y in _XY if x in low and y in low), None)
    if pair is not None:
        x, y = (low.index(each) for each in pair)
        columns = _Columns(x, y, _place(low, _NAME), _place(low, _SCORE), pair == _CRYOPPP)
        if columns.name is None:
            for at, heading in enumerate(words):
                check_no_names(path, heading, (each[at] for _, each in rows[1:] if at < len(each)))
        return columns, len(words), rows[1:]
    if len(words) < 2 or not all(map(is_number, words[:2])):
        raise UnreadableCoordinates(
            f"{path}, line {line}: expected x y, or headings that name the columns (x, y, "
            f"micrograph_name, score), found {' '.join(words)[:60]!r}"
        )
    return _Columns(0, 1), len(words), rows


def _place(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((words.index(each) for each in known if each in words), None)
