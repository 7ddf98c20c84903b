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
    if _CRYOLO in star:
        return _of_cryolo(star)
    table = _with_coordinates(path, star)
    if table is None:
        return None
    names = table.strings(NAME) if NAME in table else None
    return PickList(table, names, notes=star.problems)


def _with_coordinates(path: Path, star: StarFile) -> StarTable | None:
    found = [table for table in star.values() if X in table and Y in table]
    if not found:
        if any(len(table) for table in star.values()):
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


def _of_cryolo(star: StarFile) -> PickList | None:
    """Corners and sizes of boxes; what is unknown is `<NA>` there."""
    table = star[_CRYOLO]
    if not len(table):
        return None
    x, y, width, height = (table.floats(label) for label in _CORNERS)
    columns = {X: x + width / 2, Y: y + height / 2}
    if "Confidence" in table:
        columns[FOM] = table.floats("Confidence")
    return PickList(pick_table(columns), notes=star.problems)
