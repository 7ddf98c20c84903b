"""Files of a picked micrograph: its coordinates, and all candidates with their figure of merit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable, read_star, write_star

if TYPE_CHECKING:
    from verglas.picking.picks import Picks

FOM = "rlnAutopickFigureOfMerit"


def write_picks(path: Path, picks: Picks) -> None:
    """`_autopick.star` with RELION's columns; without picks a file of no bytes, as RELION has it."""
    write_star(path, [_table("", picks)])


def write_candidates(path: Path, picks: Picks) -> None:
    """Everything the picker considered, and the threshold: thresholds can move without re-picking."""
    threshold = {"verglasPickingThreshold": picks.threshold, "verglasCandidates": len(picks)}
    head = StarTable.from_columns("picking", threshold, is_list=True)
    write_star(path, [head, _table("candidates", picks)])


def read_candidates(path: Path) -> Picks:
    """What `write_candidates` wrote."""
    import numpy as np

    from verglas.picking.picks import Picks

    star = read_star(path)
    threshold = star["picking"].number("verglasPickingThreshold")
    table = star.get("candidates")
    if table is None:
        return Picks.none(threshold)
    xy = np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], 1)
    fom, classes = table.floats(FOM), table.ints("rlnClassNumber")
    return Picks(xy, fom, classes, table.floats("rlnAnglePsi"), threshold)


def summary_row(name: str, picks_path: Path) -> dict[str, Any]:
    """A row of `summary.star`: mean figure of merit and number of picks."""
    table = first_table(picks_path)
    count = len(table) if table is not None else 0
    mean = float(table.floats(FOM).mean()) if table is not None and count else 0.0
    return {"rlnMicrographName": name, FOM: mean, "rlnGroupNrParticles": count}


def first_table(path: Path) -> StarTable | None:
    """The first table of a file; None for the file of no bytes that stands for no rows."""
    star = read_star(path)
    return star.first if len(star) else None


def _table(name: str, picks: Picks) -> StarTable:
    return StarTable.from_columns(
        name,
        {
            "rlnCoordinateX": picks.xy[:, 0],
            "rlnCoordinateY": picks.xy[:, 1],
            FOM: picks.fom,
            "rlnClassNumber": picks.class_number,
            "rlnAnglePsi": picks.psi_deg,
        },
    )
