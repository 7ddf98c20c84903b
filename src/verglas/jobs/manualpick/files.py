"""Files of a Manual picking job: the picks of each micrograph, and which micrographs are selected.

The page that shows micrographs edits through these functions; a job that runs again never touches what
a person did.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.tables import output_root
from verglas.jobs.coordinates.reading import FOM, X, Y, read_coordinates

PICK_NAME = "manualpick"
SELECTED = "micrographs_selected.star"
DESELECTED = "micrographs_deselected.star"
_UNSET = -999


def picks_path(directory: Path, micrograph: str, pick_name: str = PICK_NAME) -> Path:
    """Where the picks of a micrograph lie."""
    root = output_root(micrograph, directory)
    return root.with_name(f"{root.name}_{pick_name}.star")


def read_picks(directory: Path, micrograph: str) -> list[tuple[float, float]]:
    """The picks (x, y) of a micrograph in its own pixels; empty if there are none."""
    path = picks_path(directory, micrograph)
    table = read_coordinates(path, micrograph) if path.exists() else None
    if table is None:
        return []
    return [(float(x), float(y)) for x, y in zip(table.floats(X), table.floats(Y))]


def write_picks(directory: Path, micrograph: str, xy: Sequence[tuple[float, float]]) -> None:
    """Replace the picks of a micrograph; columns as RELION's picker writes them (pipeline.md §5.5)."""
    path = picks_path(directory, micrograph)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_star(path, [picks_table(xy)])


def picks_table(xy: Sequence[tuple[float, float]]) -> StarTable:
    """The table of a micrograph's picks (x, y) in its own pixels."""
    count = len(xy)
    columns = {
        X: [float(x) for x, _ in xy],
        Y: [float(y) for _, y in xy],
        "rlnClassNumber": [_UNSET] * count,
        "rlnAnglePsi": [float(_UNSET)] * count,
        FOM: [float(_UNSET)] * count,
    }
    return StarTable.from_columns("", columns)


def deselected(directory: Path) -> set[str]:
    """Micrographs that a person took out."""
    path = directory / DESELECTED
    if not path.exists():
        return set()
    table = read_star(path).get("micrographs")
    return set() if table is None else set(table.strings("rlnMicrographName"))


def write_selection(directory: Path, micrographs_star: str, taken_out: set[str]) -> int:
    """Write the list of selected micrographs, and of those taken out; how many are selected.

    New micrographs of the input are selected until a person says otherwise.
    """
    star = read_star(micrographs_star)
    table = star["micrographs"]
    names = table.strings("rlnMicrographName")
    kept = [row for row, name in enumerate(names) if name not in taken_out]
    known = [table.named("micrographs").take(kept)]
    if "optics" in star:
        known.insert(0, star["optics"])
    write_star(directory / SELECTED, known)
    gone = {"rlnMicrographName": sorted(taken_out)}
    write_star(directory / DESELECTED, [StarTable.from_columns("micrographs", gone)])
    return len(kept)
