"""Coordinates of one micrograph, from whichever program wrote them, as a table of RELION's columns.

RELION STAR (any version), EMAN `.box` and `.json`, cryoSPARC `.cs`, CryoPPP `.csv`, plain text of x and y.
Coordinates are micrograph pixels, origin at the first pixel, rows as stored (pipeline.md §5.5).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from verglas.formats.star import StarError, StarTable, read_star
from verglas.jobs.coordinates.cryosparc import cryosparc_rows

X, Y, FOM = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
# CryoPPP's own headings; its rows count from the other end of the file: in EMPIAR-10017 three pickers that
# read the MRC agree with its people only after y -> height - y (median distance 7 px against 64)
_CRYOPPP = ("x-coordinate", "y-coordinate")
_CSV_X = ("x-coordinate", "x_coordinate", "x", "coordinate_x", "rlncoordinatex")
_CSV_Y = ("y-coordinate", "y_coordinate", "y", "coordinate_y", "rlncoordinatey")

_FARTHEST = 1e7  # pixels: no sensor and no montage is as wide


class UnreadableCoordinates(ValueError):
    """A coordinate file cannot be understood; the message names file, line and expectation."""


def read_coordinates(
    path: Path, micrograph: str, shape_yx: tuple[int, int] | None = None
) -> StarTable | None:
    """Coordinates of `micrograph` in `path`, at least rlnCoordinateX and Y; None if there are none.

    A file that lists several micrographs is searched for rows of this one, by path or else by base
    name. `shape_yx` is needed for fractions (cryoSPARC) where the file holds no shape.
    Raises UnreadableCoordinates.
    """
    reader = {".star": _from_star, ".box": _from_box, ".json": _from_json}
    try:
        if path.suffix == ".cs":
            columns = cryosparc_rows(path, micrograph, shape_yx)
            table = StarTable.from_columns("", columns) if columns else None
        elif path.suffix == ".csv":
            table = _from_csv(path, shape_yx)
        else:
            table = reader.get(path.suffix, _from_text)(path, micrograph)
        if table is not None and len(table):
            _check_numbers(path, table)
    except (StarError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UnreadableCoordinates(f"{path}: {error}") from error
    return table if table is not None and len(table) else None


def same_micrograph(name: str, wanted: str) -> bool:
    """Whether a name in a coordinate file means this micrograph: its path, or its base name."""
    if name == wanted:
        return True
    here, there = Path(wanted).stem, Path(name).stem
    return here == there or there.endswith(f"_{here}")  # cryoSPARC puts a number in front


def _check_numbers(path: Path, table: StarTable) -> None:
    import numpy as np

    for label in (X, Y):
        values = table.floats(label)
        possible = np.abs(values) < _FARTHEST
        if not possible.all():
            row = int(np.flatnonzero(~possible)[0])
            raise UnreadableCoordinates(f"{path}: row {row + 1} has {label} {values[row]}")


def _from_star(path: Path, micrograph: str) -> StarTable | None:
    star = read_star(path, permissive=True)
    for name in ("particles", "images", "coordinates", "candidates", "", *star):
        table = star.get(name)
        if table is None or X not in table or Y not in table:
            continue
        if "rlnMicrographName" in table:
            names = table.strings("rlnMicrographName")
            exact = micrograph in names
            keep = [
                row
                for row, name in enumerate(names)
                if (name == micrograph if exact else same_micrograph(name, micrograph))
            ]
            return table.take(keep) if keep else None
        return table
    if not len(star) and path.read_bytes().strip():
        raise UnreadableCoordinates(f"{path} holds no table (data_...): is it a STAR file?")
    if any(len(table) for table in star.values()):
        tables = ", ".join(repr(name) for name in star)
        raise UnreadableCoordinates(f"{path}: no table with {X} and {Y} (tables: {tables})")
    return None


def _from_box(path: Path, micrograph: str) -> StarTable | None:
    """EMAN1: x0 y0 width height [score]; the centre is x0 + width // 2 (integer division)."""
    found = []
    for number, words in _words(path):
        if len(words) < 4:
            raise UnreadableCoordinates(
                f"{path}, line {number}: expected x y width height, found {' '.join(words)!r}"
            )
        x0, y0, width, height, *rest = _numbers(path, number, words[:5])
        if not (math.isfinite(width) and math.isfinite(height)):
            raise UnreadableCoordinates(
                f"{path}, line {number}: the box is {width:g} x {height:g} pixels"
            )
        found.append((x0 + int(width) // 2, y0 + int(height) // 2, *rest))
    return _table(found)


def _from_json(path: Path, micrograph: str) -> StarTable | None:
    """EMAN2 info file: "boxes" holds [x, y, kind, ...] with centres."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise UnreadableCoordinates(f"{path}: nested too deeply") from None
    boxes = content.get("boxes") if isinstance(content, dict) else content
    if boxes is None:
        return None
    try:
        found = [(float(box[0]), float(box[1])) for box in boxes]
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise UnreadableCoordinates(f'{path}: "boxes" does not hold [x, y, ...]: {error}') from None
    return _table(found)


def _from_csv(path: Path, shape_yx: tuple[int, int] | None) -> StarTable | None:
    """A header that names x and y, or none and x, y first. CryoPPP's y is turned to stored rows."""
    with open(path, newline="", encoding="utf-8-sig") as handle:
        rows = [row for row in csv.reader(handle) if any(cell.strip() for cell in row)]
    if not rows:
        return None
    header = [cell.strip().lower() for cell in rows[0]]
    x = next((header.index(name) for name in _CSV_X if name in header), None)
    y = next((header.index(name) for name in _CSV_Y if name in header), None)
    if x is None or y is None:
        if not _is_number(header[0]):
            raise UnreadableCoordinates(f"{path}: no columns X-Coordinate and Y-Coordinate")
        x, y, first = 0, 1, 0
    else:
        first = 1
    found = []
    for number, row in enumerate(rows[first:], start=first + 1):
        if len(row) <= max(x, y):
            raise UnreadableCoordinates(f"{path}, line {number}: too few columns: {row}")
        found.append(_numbers(path, number, [row[x], row[y]]))
    if all(name in header for name in _CRYOPPP):
        if shape_yx is None:
            raise UnreadableCoordinates(f"{path}: y counts from the top; the height must be known")
        found = [[px, shape_yx[0] - py] for px, py in found]
    return _table(found)


def _from_text(path: Path, micrograph: str) -> StarTable | None:
    """Lines of x y [z]; a first line whose first two words are not numbers is a header."""
    found = []
    for count, (number, words) in enumerate(_words(path)):
        if count == 0 and not all(map(_is_number, words[:2])):
            continue
        if len(words) < 2:
            raise UnreadableCoordinates(f"{path}, line {number}: expected x y, found {words}")
        found.append(tuple(_numbers(path, number, words[:2])))
    return _table(found)


def _words(path: Path) -> Iterable[tuple[int, list[str]]]:
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _numbers(path: Path, number: int, words: Iterable[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise UnreadableCoordinates(f"{path}, line {number}: {error}") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _table(rows: list[Any]) -> StarTable | None:
    if not rows:
        return None
    columns: dict[str, Any] = {X: [float(r[0]) for r in rows], Y: [float(r[1]) for r in rows]}
    if all(len(row) > 2 for row in rows):
        columns[FOM] = [float(row[2]) for row in rows]
    return StarTable.from_columns("", columns)
