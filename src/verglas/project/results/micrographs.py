"""All that is known of the micrographs of one list, joined from the jobs that made them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from verglas.formats.star import StarError, StarFile, StarTable
from verglas.jobs.contract.nodes import MICROGRAPHS
from verglas.jobs.registry import job_type
from verglas.project.change import PIPELINE
from verglas.project.confinement import TooLarge, read_table
from verglas.project.graph import Graph
from verglas.project.names import folder_of, owner_of
from verglas.project.project import Project
from verglas.project.results.taken import times_taken_s

NAME = "rlnMicrographName"
MOST_MICROGRAPHS = 200_000
# column of the list -> what the pages call it; lengths in Å
_OF_LIST = {
    "rlnDefocusU": "defocus_u_angst",
    "rlnDefocusV": "defocus_v_angst",
    "rlnCtfAstigmatism": "astigmatism_angst",
    "rlnDefocusAngle": "azimuth_deg",
    "rlnCtfMaxResolution": "fit_resolution_angst",
    "rlnCtfFigureOfMerit": "fit_score",
    "rlnCtfIceRingDensity": "ice",
    "rlnPhaseShift": "phase_shift_deg",
}
_OF_MOTION = {
    "rlnAccumMotionTotal": "motion_angst",
    "rlnAccumMotionEarly": "motion_early_angst",
    "rlnAccumMotionLate": "motion_late_angst",
}


@dataclass(frozen=True)
class MicrographTable:
    """One list of micrographs: `names` and number columns of equal length (nan: not known)."""

    path: str
    names: list[str]
    columns: dict[str, np.ndarray]
    pixel_size_angst: float

    def as_dict(self) -> dict[str, Any]:
        """Plain lists; numbers rounded to what a screen can tell apart."""
        shown = {key: _rounded(values) for key, values in self.columns.items()}
        return {
            "path": self.path,
            "names": self.names,
            "columns": shown,
            "pixel_size_angst": self.pixel_size_angst,
        }


def micrograph_lists(project: Project, graph: Graph | None = None) -> list[str]:
    """Lists of micrographs on disc, the richest and newest first."""
    graph = graph or project.graph()
    found = [
        node.name
        for node in graph.nodes.values()
        if node.type == MICROGRAPHS and project.exists(node.name)
    ]
    order = {name: place for place, name in enumerate(found)}
    return sorted(found, key=lambda name: (job_type(folder_of(name)).list_rank, -order[name]))


def micrograph_table(project: Project, path: str) -> MicrographTable:
    """The list and what other jobs know of its micrographs. Raises OSError, StarError.

    Made anew only when the list or the pipeline has changed.
    """
    stamps = tuple((project.root / name).stat().st_mtime_ns for name in (path, PIPELINE))
    return _joined(project, path, stamps)


@lru_cache(maxsize=4)
def _joined(project: Project, path: str, stamps: tuple[int, ...]) -> MicrographTable:
    star = read_table(project, path)
    table = _list_of(star)
    if len(table) > MOST_MICROGRAPHS:
        raise TooLarge(f"{path} lists {len(table):,} micrographs, at most {MOST_MICROGRAPHS:,}")
    names = table.strings(NAME)
    columns = {shown: table.floats(label) for label, shown in _OF_LIST.items() if label in table}
    if "defocus_u_angst" in columns and "astigmatism_angst" not in columns:
        columns["astigmatism_angst"] = np.abs(
            columns["defocus_u_angst"] - columns["defocus_v_angst"]
        )
    columns |= _motion(project, table, names)
    counts = pick_counts(project, names)
    if counts is not None:
        columns["picks"] = counts
    columns["time_s"] = times_taken_s(project, names)
    return MicrographTable(path, names, columns, pixel_size_of(star))


def pixel_size_of(star: StarFile) -> float:
    """Å per pixel of the micrographs of a list; 0 if the file does not say."""
    for table in (star.get("optics"), next(iter(star.values()), None)):
        for label in ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize", "rlnPixelSize"):
            if table is not None and label in table and len(table):
                return float(table.floats(label)[0])
    return 0.0


def motion_list_of(project: Project, names: list[str]) -> str | None:
    """The motion-corrected list that the first of the micrographs belongs to."""
    job = owner_of(names[0]) if names else None
    path = f"{job}corrected_micrographs.star"
    return path if job and project.exists(path) else None


def pick_counts(project: Project, names: list[str]) -> np.ndarray | None:
    """Picks of each micrograph by the newest Auto-picking job that knows them; None without one."""
    processes = project.graph().processes
    jobs = [name for name, each in processes.items() if job_type(each.folder).counts_picks]
    for job in reversed(jobs):
        try:
            table = read_table(project, f"{job}summary.star").first
            known = dict(zip(table.strings(NAME), table.floats("rlnGroupNrParticles")))
        except (OSError, StarError):
            continue
        counts = np.array([known.get(name, np.nan) for name in names])
        if np.isfinite(counts).any():
            return counts
    return None


def _list_of(star: StarFile) -> StarTable:
    found = star.get("micrographs") or next(
        (table for table in star.values() if NAME in table), None
    )
    if found is None or NAME not in found:
        raise StarError("the file lists no micrographs", star.path)
    return found


def _motion(project: Project, table: StarTable, names: list[str]) -> dict[str, np.ndarray]:
    if "rlnAccumMotionTotal" in table:
        return {shown: table.floats(key) for key, shown in _OF_MOTION.items() if key in table}
    path = motion_list_of(project, names)
    if path is None:
        return {}
    try:
        motion = _list_of(read_table(project, path))
    except (OSError, StarError):
        return {}
    rows = {name: row for row, name in enumerate(motion.strings(NAME))}
    places = np.array([rows.get(name, -1) for name in names])
    found = {}
    for key, shown in _OF_MOTION.items():
        if key in motion:
            values = np.append(motion.floats(key), np.nan)
            found[shown] = values[places]
    return found


def _rounded(values: np.ndarray) -> list[float | None]:
    """Six digits (times to a hundredth of a second); JSON has no nan."""
    large = bool(np.nanmax(np.abs(values), initial=0.0) >= 1e6)
    return [
        None if not math.isfinite(each) else round(each, 2) if large else float(f"{each:.6g}")
        for each in values.tolist()
    ]


def label_of(figure: str) -> str | None:
    """The column of a list that a figure of the pages comes from; None if it is computed."""
    known = {shown: label for label, shown in (_OF_LIST | _OF_MOTION).items()}
    return known.get(figure)


def list_with(project: Project, path: str, figure: str) -> bool:
    """Whether the list itself has the column of a figure."""
    return label_of(figure) in _list_of(read_table(project, path))
