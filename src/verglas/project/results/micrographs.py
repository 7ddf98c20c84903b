"""All that is known of the micrographs of one list, joined from the jobs that made them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from verglas.formats.star import StarError, StarFile, StarTable
from verglas.jobs.contract.nodes import MICROGRAPHS
from verglas.jobs.registry import job_type
from verglas.jobs.select.figures import KINDS, FigureKind, kind_named
from verglas.project.change import PIPELINE
from verglas.project.confinement import TooLarge, read_table
from verglas.project.graph import Graph
from verglas.project.names import folder_of, owner_of
from verglas.project.project import Project
from verglas.project.results.taken import times_taken_s

NAME = "rlnMicrographName"
MOST_MICROGRAPHS = 200_000


@dataclass(frozen=True)
class MicrographTable:
    """One list of micrographs: `names` and number columns of equal length (nan: not known)."""

    path: str
    names: list[str]
    columns: dict[str, np.ndarray]
    pixel_size_angst: float

    @property
    def kinds(self) -> list[FigureKind]:
        """The figures that are known of some micrograph, in the order of the work."""
        return [
            kind for kind in KINDS if kind.key in self.columns and np.isfinite(self.columns[kind.key]).any()
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain lists; numbers rounded to what a screen can tell apart."""
        shown = {key: _rounded(values) for key, values in self.columns.items()}
        return {
            "path": self.path,
            "names": self.names,
            "columns": shown,
            "kinds": [asdict(kind) for kind in self.kinds],
            "pixel_size_angst": self.pixel_size_angst,
        }


def micrograph_lists(project: Project, graph: Graph | None = None) -> list[str]:
    """Lists of micrographs on disc, the richest and newest first."""
    graph = graph or project.graph()
    found = [
        node.name for node in graph.nodes.values() if node.type == MICROGRAPHS and project.exists(node.name)
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
def _joined(project: Project, path: str, _stamps: tuple[int, ...]) -> MicrographTable:
    star = read_table(project, path)
    table = _list_of(star)
    if len(table) > MOST_MICROGRAPHS:
        raise TooLarge(f"{path} lists {len(table):,} micrographs, at most {MOST_MICROGRAPHS:,}")
    names = table.strings(NAME)
    columns = _columns(table)
    if "defocus_u_angst" in columns and "astigmatism_angst" not in columns:
        columns["astigmatism_angst"] = np.abs(columns["defocus_u_angst"] - columns["defocus_v_angst"])
    columns = _motion(project, names) | _of_picks(project, names) | columns
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


def _of_picks(project: Project, names: list[str]) -> dict[str, np.ndarray]:
    """Picks of each micrograph by the newest Auto-picking job that knows them; {} without one."""
    processes = project.graph().processes
    jobs = [name for name, each in processes.items() if job_type(each.folder).counts_picks]
    for job in reversed(jobs):
        try:
            found = _taken_over(read_table(project, f"{job}summary.star").first, names)
        except (OSError, StarError):
            continue
        if "picks" in found and np.isfinite(found["picks"]).any():
            return found
    return {}


def _columns(table: StarTable) -> dict[str, np.ndarray]:
    """The figures that a table holds, by key."""
    found = {}
    for kind in KINDS:
        label = next((label for label in kind.labels if label in table), None)
        if label is not None:
            found[kind.key] = table.floats(label)
    return found


def _taken_over(table: StarTable, names: list[str]) -> dict[str, np.ndarray]:
    """The figures of another list for these micrographs; nan where it has them not."""
    rows = {name: row for row, name in enumerate(table.strings(NAME))}
    places = np.array([rows.get(name, -1) for name in names], dtype=int)
    return {key: np.append(values, np.nan)[places] for key, values in _columns(table).items()}


def _list_of(star: StarFile) -> StarTable:
    found = star.get("micrographs") or next((table for table in star.values() if NAME in table), None)
    if found is None or NAME not in found:
        raise StarError("the file lists no micrographs", star.path)
    return found


def _motion(project: Project, names: list[str]) -> dict[str, np.ndarray]:
    """What the motion-corrected list knows of micrographs that come from it."""
    path = motion_list_of(project, names)
    if path is None:
        return {}
    try:
        return _taken_over(_list_of(read_table(project, path)), names)
    except (OSError, StarError):
        return {}


def _rounded(values: np.ndarray) -> list[float | None]:
    """Six digits (times to a hundredth of a second); JSON has no nan."""
    large = bool(np.nanmax(np.abs(values), initial=0.0) >= 1e6)
    return [
        None if not math.isfinite(each) else round(each, 2) if large else float(f"{each:.6g}")
        for each in values.tolist()
    ]


def list_with(project: Project, path: str, figure: str) -> str | None:
    """The label under which the list itself has a figure; None without."""
    kind = kind_named(figure)
    table = _list_of(read_table(project, path))
    return next((label for label in kind.labels if label in table), None) if kind else None
