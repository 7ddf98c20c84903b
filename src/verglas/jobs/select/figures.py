"""Figures of one micrograph: what thresholds act on and pages plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verglas.jobs.contract.tables import output_root


@dataclass(frozen=True)
class FigureKind:
    """One figure: its key in the journal, the label it comes from, and how it is shown."""

    key: str
    label: str
    title: str
    unit: str
    stage: str


KINDS: tuple[FigureKind, ...] = (
    FigureKind("motion_total_angst", "rlnAccumMotionTotal", "Total motion", "Å", "MotionCorr"),
    FigureKind("motion_early_angst", "rlnAccumMotionEarly", "Early motion", "Å", "MotionCorr"),
    FigureKind("motion_late_angst", "rlnAccumMotionLate", "Late motion", "Å", "MotionCorr"),
    FigureKind("defocus_u_angst", "rlnDefocusU", "Defocus U", "Å", "CtfFind"),
    FigureKind("defocus_v_angst", "rlnDefocusV", "Defocus V", "Å", "CtfFind"),
    FigureKind("astigmatism_angst", "rlnCtfAstigmatism", "Astigmatism", "Å", "CtfFind"),
    FigureKind("ctf_resolution_angst", "rlnCtfMaxResolution", "CTF fit", "Å", "CtfFind"),
    FigureKind("ctf_merit", "rlnCtfFigureOfMerit", "CTF figure of merit", "", "CtfFind"),
    FigureKind("ctf_reliability", "verglasCtfReliability", "CTF reliability", "", "CtfFind"),
    FigureKind("ice_ring", "rlnCtfIceRingDensity", "Ice ring", "", "CtfFind"),
    FigureKind("tilt_deg", "verglasCtfTilt", "Tilt", "°", "CtfFind"),
    FigureKind("phase_shift_deg", "rlnPhaseShift", "Phase shift", "°", "CtfFind"),
    FigureKind("picks", "rlnGroupNrParticles", "Picks", "", "AutoPick"),
    FigureKind("pick_merit", "rlnAutopickFigureOfMerit", "Mean merit of picks", "", "AutoPick"),
    FigureKind("particles", "", "Particles", "", "Extract"),
)


def figures_of_list(listed: bytes) -> tuple[dict[str, float], str]:
    """Figures in a list of one micrograph, and its name."""
    row = row_of(listed)
    found = {kind.key: _number(row[kind.label]) for kind in KINDS if kind.label in row}
    return {key: value for key, value in found.items() if value is not None}, row.get(
        "rlnMicrographName", ""
    )


def figures_of_picks(stage: str, name: str, directory: str) -> dict[str, float]:
    """Number of picks and their mean merit, or number of particles."""
    from verglas.jobs.autopick.results import first_table, picks_path, summary_row

    if stage == "Extract":
        root = output_root(name, directory)
        table = first_table(root.with_name(f"{root.name}_extract.star"))
        return {"particles": float(len(table) if table is not None else 0)}
    row = summary_row(name, picks_path(name, directory))
    figures = {"picks": float(row["rlnGroupNrParticles"])}
    if row["rlnGroupNrParticles"]:
        figures["pick_merit"] = round(float(row["rlnAutopickFigureOfMerit"]), 4)
    return figures


def row_of(listed: bytes) -> dict[str, Any]:
    """The one row of a list (movies or micrographs) as texts."""
    from verglas.formats.star.reading import parse_star
    from verglas.jobs.contract.tables import rows_of

    tables, _ = parse_star(listed, "the list of one micrograph")
    for name in ("micrographs", "movies"):
        if name in tables:
            return rows_of(tables[name])[0]
    return {}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None
