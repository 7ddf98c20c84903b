"""Figures of one micrograph: what thresholds act on and pages plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verglas.jobs.contract.tables import output_root


@dataclass(frozen=True)
class FigureKind:
    """One figure: its key everywhere, the label it comes from, and how it is shown.

    Limits, journals, lists, plots, reports and pages take all of this from here.
    """

    key: str
    label: str
    title: str
    unit: str
    stage: str
    definition: str = ""
    better: str = ""  # "low", "high", or "" where neither is
    also: tuple[str, ...] = ()  # labels under which older lists have it
    shown_unit: str = ""  # of plots, where that is not `unit`
    shown_scale: float = 1.0  # from `unit` to `shown_unit`

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label it may stand under, the usual one first."""
        return tuple(label for label in (self.label, *self.also) if label)


_MOTION, _CTF, _PICK, _EXTRACT = "MotionCorr", "CtfFind", "AutoPick", "Extract"
KINDS: tuple[FigureKind, ...] = (
    FigureKind(
        "motion_total_angst", "rlnAccumMotionTotal", "Total motion", "Å", _MOTION,
        "Length of the path that the whole image took from the first frame to the last.", "low",
    ),
    FigureKind(
        "motion_early_angst", "rlnAccumMotionEarly", "Early motion", "Å", _MOTION,
        "The part of the path within the early dose (4 e/Å² unless set otherwise).", "low",
    ),
    FigureKind(
        "motion_late_angst", "rlnAccumMotionLate", "Late motion", "Å", _MOTION,
        "The part of the path after the early dose.", "low",
    ),
    FigureKind(
        "defocus_u_angst", "rlnDefocusU", "Defocus U", "Å", _CTF,
        "Underfocus along the axis where it is largest.", shown_unit="µm", shown_scale=1e-4,
    ),
    FigureKind(
        "defocus_v_angst", "rlnDefocusV", "Defocus V", "Å", _CTF,
        "Underfocus across that axis.", shown_unit="µm", shown_scale=1e-4,
    ),
    FigureKind(
        "azimuth_deg", "rlnDefocusAngle", "Azimuth", "°", _CTF,
        "Angle from the x axis to the axis of the largest underfocus.",
    ),
    FigureKind(
        "astigmatism_angst", "rlnCtfAstigmatism", "Astigmatism", "Å", _CTF,
        "Difference of the two underfoci.", "low",
    ),
    FigureKind(
        "ctf_resolution_angst", "rlnCtfMaxResolution", "CTF fit", "Å", _CTF,
        "Resolution up to which the rings of the spectrum follow the fitted CTF.", "low",
    ),
    FigureKind(
        "ctf_merit", "rlnCtfFigureOfMerit", "CTF figure of merit", "", _CTF,
        "Correlation of the amplitude spectrum, freed of its background, with |CTF|.", "high",
    ),
    FigureKind(
        "ctf_reliability", "verglasCtfReliability", "CTF reliability", "", _CTF,
        "0 to 1: whether this is the right minimum (it explains the spectrum, it alone does).", "high",
    ),
    FigureKind(
        "ice_ring", "rlnCtfIceRingDensity", "Ice ring", "", _CTF,
        "Power of the ring at 3.7 Å over that of its surroundings, minus one.", "low",
    ),
    FigureKind(
        "tilt_deg", "verglasTiltAngle", "Tilt", "°", _CTF,
        "Tilt of the specimen, from the defocus across the micrograph.", "low",
        also=("verglasCtfTilt",),
    ),
    FigureKind(
        "phase_shift_deg", "rlnPhaseShift", "Phase shift", "°", _CTF,
        "Phase that a plate adds to the wave.",
    ),
    FigureKind(
        "picks", "rlnGroupNrParticles", "Picks", "", _PICK, "Number of particles picked.", "high",
    ),
    FigureKind(
        "pick_merit", "rlnAutopickFigureOfMerit", "Mean merit of picks", "", _PICK,
        "Mean figure of merit of the picks.", "high",
    ),
    FigureKind(
        "particles", "", "Particles", "", _EXTRACT, "Number of particles extracted.", "high",
    ),
)  # fmt: skip
_BY_LABEL = {label: kind for kind in KINDS for label in kind.labels}


def kind_named(name: str) -> FigureKind | None:
    """The figure of a key or of a label."""
    return next((kind for kind in KINDS if kind.key == name), None) or _BY_LABEL.get(name)


def figures_of_row(row: Mapping[str, Any]) -> dict[str, float]:
    """Figures by key in one row of a list; what is no number is not known."""
    found = {}
    for kind in KINDS:
        for label in kind.labels:
            value = _number(row[label]) if label in row else None
            if value is not None:
                found[kind.key] = value
                break
    return found


def figures_of_list(listed: bytes) -> tuple[dict[str, float], str]:
    """Figures in a list of one micrograph, and its name."""
    row = row_of(listed)
    return figures_of_row(row), row.get("rlnMicrographName", "")


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


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None
