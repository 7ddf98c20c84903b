"""Coordinates in STAR files: RELION's of any version, and crYOLO's `.cbox`."""

from __future__ import annotations

from pathlib import Path

from verglas.formats.star import StarFile, StarTable, read_star
from verglas.jobs.coordinates.pick_list import (
    FOM,
    PickList,
    UnreadableCoordinates,
    X,
    Y,
    check_end,
    pick_table,
)

NAME = "rlnMicrographName"
_LIKELY = ("particles", "images", "coordinates", "candidates")
_CRYOLO = "cryolo"
_CONFIDENCE = "Confidence"
_CORNERS = ("CoordinateX", "CoordinateY", "Width", "Height")


def star_picks(path: Path) -> PickList | None:
    """The table with coordinates; None if the file lists nothing.

    Raises StarError for any damage, UnreadableCoordinates where no table has coordinates.
    """
    star = read_star(path)
    with open(path, "rb") as handle:
        handle.seek(max(0, path.stat().st_size - 1))
        if handle.read() not in (b"", b"\n"):
            check_end(path, path.read_bytes().decode("utf-8", "surrogateescape"))
    table = _with_centres(star[_CRYOLO]) if _CRYOLO in star else _with_coordinates(path, star)
    if table is None or not len(table):
        if star.problems:
            raise UnreadableCoordinates(star.problems[0])
        return None
    names = table.strings(NAME) if NAME in table else None
    return PickList(table, names, notes=star.problems)


def _with_coordinates(path: Path, star: StarFile) -> StarTable | None:
    found = [table for table in star.values() if X in table and Y in table]
    if not found:
        if len(star):
            tables = ", ".join(repr(name) for name in star)
            raise UnreadableCoordinates(f"{path}: no table with {X} and {Y} (tables: {tables})")
        return None
    for name in _LIKELY:
        if name in star and star[name] in found:
            return star[name]
    if len(found) > 1:
        tables = ", ".join(repr(table.name) for table in found)
        raise UnreadableCoordinates(f"{path}: {len(found)} tables have coordinates ({tables})")
    return found[0]


def _with_centres(table: StarTable) -> StarTable:
    """crYOLO's corners and sizes of boxes as centres; what is unknown is `<NA>` there."""
    x, y, width, height = (table.floats(label) for label in _CORNERS)
    columns = {X: x + width / 2, Y: y + height / 2}
    if _CONFIDENCE in table:
        columns[FOM] = table.floats(_CONFIDENCE)
    return pick_table(columns)
