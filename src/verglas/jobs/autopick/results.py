"""Files of a picked micrograph: its coordinates, and all candidates with their figure of merit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.tables import output_root
from verglas.jobs.coordinates.helix import PSI_PRIOR

if TYPE_CHECKING:
    from verglas.picking.picks import Picks

FOM = "rlnAutopickFigureOfMerit"
TUBE, TRACK = "rlnHelicalTubeID", "rlnHelicalTrackLengthAngst"


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

    from verglas.picking.picks import Picks, TubeSegments

    star = read_star(path)
    threshold = star["picking"].number("verglasPickingThreshold")
    table = star.get("candidates")
    if table is None:
        return Picks.none(threshold)
    xy = np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], 1)
    fom, classes = table.floats(FOM), table.ints("rlnClassNumber")
    tubes = None
    if TUBE in table:
        tubes = TubeSegments(table.ints(TUBE), table.floats(PSI_PRIOR), table.floats(TRACK))
    return Picks(xy, fom, classes, table.floats("rlnAnglePsi"), threshold, tubes)


def picks_path(name: str, directory: str | Path) -> Path:
    """Where the coordinates of a micrograph lie in a picking job's directory."""
    root = output_root(name, directory)
    return root.with_name(f"{root.name}_autopick.star")


def picks_fingerprint(path: Path) -> str:
    """Sixteen letters that belong to the content of a file of picks; "" if there is none."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return ""


def summary_row(name: str, picks_path: Path) -> dict[str, Any]:
    """A row of `summary.star`: mean figure of merit and number of picks."""
    table = first_table(picks_path)
    count = len(table) if table is not None else 0
    has_merit = table is not None and count and FOM in table  # picks by hand may have none
    mean = float(table.floats(FOM).mean()) if table is not None and has_merit else 0.0
    return {"rlnMicrographName": name, FOM: mean, "rlnGroupNrParticles": count}


def first_table(path: Path) -> StarTable | None:
    """The first table of a file; None for the file of no bytes that stands for no rows."""
    star = read_star(path)
    return star.first if len(star) else None


def _table(name: str, picks: Picks) -> StarTable:
    import numpy as np

    columns = {
        "rlnCoordinateX": picks.xy[:, 0],
        "rlnCoordinateY": picks.xy[:, 1],
        FOM: picks.fom,
        "rlnClassNumber": picks.class_number,
        "rlnAnglePsi": picks.psi_deg,
    }
    if picks.tubes is not None:
        columns |= {
            TUBE: picks.tubes.number,
            "rlnAngleTiltPrior": np.full(len(picks), 90.0),
            PSI_PRIOR: picks.tubes.psi_deg,
            TRACK: picks.tubes.track_angst,
            "rlnAnglePsiFlipRatio": np.full(len(picks), 0.5),  # which end is which is not known
        }
    return StarTable.from_columns(name, columns)
