"""Coordinates of one micrograph, from whichever program wrote them, as a table of RELION's columns.

RELION STAR (any version), crYOLO `.cbox`, EMAN `.box` and `.json`, cryoSPARC `.cs`, tables with headings
(`.csv`, topaz), plain text of x and y. Coordinates are micrograph pixels, origin at the first pixel, rows as
stored (pipeline.md §5.5). A file that shows damage is refused whole: no row is dropped without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from verglas.formats.star import StarError, StarTable
from verglas.jobs.contract.micrograph_names import MicrographNames
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.coordinates.cryosparc import cryosparc_picks
from verglas.jobs.coordinates.eman import box_picks, json_picks
from verglas.jobs.coordinates.pick_list import FOM, PickList, UnreadableCoordinates, X, Y
from verglas.jobs.coordinates.star_picks import star_picks
from verglas.jobs.coordinates.text_picks import csv_picks, text_picks

__all__ = ["FOM", "UnreadableCoordinates", "X", "Y", "names_in", "read_coordinates"]

_FARTHEST = 1e7  # pixels: no sensor and no montage is as wide
_READERS: dict[str, Callable[[Path], PickList | None]] = {
    ".star": star_picks,
    ".box": box_picks,
    ".json": json_picks,
    ".cs": cryosparc_picks,
    ".csv": csv_picks,
}


def read_coordinates(
    path: Path,
    micrograph: str,
    shape_yx: tuple[int, int] | None = None,
    named: str | None = None,
    warn: Callable[[str], None] | None = None,
) -> StarTable | None:
    """Coordinates of `micrograph` in `path`, at least rlnCoordinateX and Y; None if there are none.

    Of a file that lists several micrographs the rows are taken whose name is `named`, else the only name that
    means this micrograph. `shape_yx` is needed for fractions (cryoSPARC) where the file holds no shape, and for
    rows that count from the top. Raises UnreadableCoordinates, AmbiguousMicrograph.
    """
    picks = _picks(path)
    if picks is None:
        return None
    if warn is not None:
        for note in picks.notes:
            warn(f" WARNING: {note}")
    rows = list(range(len(picks.table)))
    if picks.names is not None:
        name = named or _named(path, list(dict.fromkeys(picks.names)), micrograph)
        rows = [row for row in rows if picks.names[row] == name]
    table = _in_pixels(path, picks, rows, shape_yx)
    if not len(table):
        return None
    _check_numbers(path, table)
    return table


def names_in(path: Path) -> list[str] | None:
    """Names of all micrographs that a file lists, each once; None if it names none. UnreadableCoordinates."""
    picks = _picks(path)
    if picks is None:
        return []
    return None if picks.names is None else list(dict.fromkeys(picks.names))


def _named(path: Path, names: list[str], micrograph: str) -> str:
    """The name that means this micrograph in a file that belongs to it."""
    found = MicrographNames([micrograph]).matched(names)
    if not found.names:
        raise UnreadableCoordinates(
            f"{path} lists coordinates of {names[0]}{' and others' if names[1:] else ''}, "
            f"none of {micrograph}"
        )
    return found.names[micrograph]


def _picks(path: Path) -> PickList | None:
    return _read(path, file_stamp(path))


@lru_cache(maxsize=1)
def _read(path: Path, _stamp: str) -> PickList | None:
    """One file may hold the coordinates of thousands of micrographs, asked for one by one."""
    try:
        if path.suffix.lower() == ".cbox":
            is_star = path.read_bytes().lstrip().startswith((b"data_", b"#"))
            return star_picks(path) if is_star else box_picks(path)
        return _READERS.get(path.suffix.lower(), text_picks)(path)
    except (StarError, json.JSONDecodeError) as error:
        text = str(error)
        raise UnreadableCoordinates(text if str(path) in text else f"{path}: {text}") from error


def _in_pixels(path: Path, picks: PickList, rows: list[int], shape_yx: tuple[int, int] | None) -> StarTable:
    import numpy as np

    table = picks.table.take(rows)
    if picks.unit == "pixels" or not rows:
        return table
    x, y = table.floats(X), table.floats(Y)
    if picks.unit == "from the top":
        if shape_yx is None:
            raise UnreadableCoordinates(f"{path}: y counts from the top; the height must be known")
        return table.with_columns({Y: shape_yx[0] - y})
    shapes = [picks.shapes_yx[row] for row in rows] if picks.shapes_yx is not None else [shape_yx]
    if None in shapes:
        raise UnreadableCoordinates(f"{path} does not say how large the micrographs are")
    sizes = np.array(shapes, float)
    return table.with_columns({X: x * sizes[:, 1], Y: y * sizes[:, 0]})


def _check_numbers(path: Path, table: StarTable) -> None:
    import numpy as np

    for label in (X, Y):
        try:
            values = table.floats(label)
        except StarError as error:
            raise UnreadableCoordinates(str(error)) from error
        possible = np.abs(values) < _FARTHEST
        if not possible.all():
            row = int(np.flatnonzero(~possible)[0])
            raise UnreadableCoordinates(f"{path}: row {row + 1} has {label} {values[row]}")
