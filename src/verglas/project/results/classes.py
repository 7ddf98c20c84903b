"""Classes of a classification as a gallery needs them: images, sizes, resolutions, iterations."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.stack import parse_image_name
from verglas.formats.star import StarError, StarTable, format_star
from verglas.jobs.contract.nodes import MODEL, OPTIMISER
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.registry import job_type
from verglas.jobs.select.classes import BACKUP
from verglas.project.change import Change
from verglas.project.confinement import read_table
from verglas.project.names import owner_of
from verglas.project.project import Project

# a refinement of two halves has a model for each: the first stands for both
_ITERATION = re.compile(r"^(run(?:_ct\d+)?)_it(\d{3,})(?:_half1)?_model\.star$")
_MODEL = re.compile(r"(?:_half[12])?_model\.star$")
_WORST_ANGST = 900.0  # RELION writes 999 and inf for "none"


@dataclass(frozen=True)
class ClassRow:
    """One class of one iteration; `number` counts from 1."""

    number: int
    image: str  # "000001@path" or the path of a map
    share: float
    resolution_angst: float | None
    particles: int | None
    empty: bool = False  # no particle is in it


@dataclass(frozen=True)
class Gallery:
    """Classes of one iteration."""

    model: str
    job: str
    iteration: int
    pixel_size_angst: float
    box_size: int
    dimensions: int
    classes: list[ClassRow]
    models: list[str]  # of all iterations, first to last
    data: str | None

    @property
    def best_angst(self) -> float | None:
        """Of classes that hold particles; None in iteration 0, which is only what was begun with."""
        known = [row.resolution_angst for row in self.classes if row.resolution_angst and not row.empty]
        return round(min(known), 1) if known and self.iteration > 0 else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"best_angst": self.best_angst}


def model_lists(project: Project) -> list[str]:
    """Newest model of every classification that has one on disc, newest job first.

    Jobs that still run count too: their last complete iteration can be looked at.
    """
    graph = project.graph()
    found = []
    for name, process in reversed(graph.processes.items()):
        if job_type(process.folder).class_dims:
            models = models_of(project, name)
            found += models[-1:]
    for node in graph.nodes.values():
        if node.type in (MODEL, OPTIMISER) and owner_of(node.name) not in graph.processes:
            found.append(node.name)
    return found


def models_of(project: Project, job: str) -> list[str]:
    """Models of all iterations of a job, by iteration; a repeat at work in a staging folder first."""
    base = project.root / job
    names = [path.name for path in base.glob("run*_model.star") if _ITERATION.match(path.name)]
    names.sort(key=lambda each: int(_ITERATION.match(each)[2]))  # type: ignore[index]
    return [job + name for name in names]


def gallery(project: Project, model: str) -> Gallery:
    """Read a model (or optimiser) STAR file; anew when it has changed. Raises OSError, StarError."""
    model = _model_of(project, model)
    data = model.replace("_model.star", "_data.star")
    found = _gallery(project, model, tuple(file_stamp(project.root / each) for each in (model, data)))
    return replace(found, models=models_of(project, found.job))


@lru_cache(maxsize=8)
def _gallery(project: Project, model: str, _stamps: tuple[str, ...]) -> Gallery:
    star = read_table(project, model)
    general, table = star["model_general"], star["model_classes"]
    resolutions = table.floats("rlnEstimatedResolution")
    shares = table.floats("rlnClassDistribution")
    data = _MODEL.sub("_data.star", model)
    members = _members(project, data, len(table))
    rows = [
        ClassRow(
            index + 1,
            image,
            float(share),
            float(angst) if angst < _WORST_ANGST else None,
            int(members[index]) if members is not None else None,
            not (members[index] if members is not None else share > 0),
        )
        for index, (image, share, angst) in enumerate(
            zip(table.strings("rlnReferenceImage"), shares, resolutions)
        )
    ]
    job = owner_of(model) or str(Path(model).parent) + "/"
    return Gallery(
        model,
        job,
        iteration_of(model),
        general.number("rlnPixelSize"),
        general.integer("rlnOriginalImageSize"),
        general.integer("rlnReferenceDimensionality"),
        rows,
        [],
        data if members is not None else None,
    )


def iteration_of(model: str) -> int:
    found = _ITERATION.match(model.rsplit("/", 1)[-1])
    return int(found[2]) if found else 0


def averages(project: Project, rows: list[ClassRow]) -> list[tuple[str, int]]:
    """(absolute path, index from 0) of each class average; 3D classes have none and give []."""
    names = [parse_image_name(row.image) for row in rows]
    if any(index is None for _, index in names):
        return []
    return [(str(project.root / path), index or 0) for path, index in names]


def member_images(
    project: Project, data: str, classes: list[int], limit: int
) -> tuple[list[tuple[str, int]], int]:
    """(path, index) of the first `limit` particles of these classes, and how many there are."""
    table = read_table(project, data)["particles"]
    rows = np.flatnonzero(np.isin(table.ints("rlnClassNumber"), classes))
    chosen = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows[:0]
    found = []
    for name in table.take(chosen).strings("rlnImageName"):
        path, index = parse_image_name(name)
        found.append((path, index or 0))
    return found, len(rows)


def stored_selection(project: Project, job: str) -> list[bool] | None:
    """The choice in a Select job's backup_selection.star; None without one."""
    try:
        table = read_table(project, f"{job}{BACKUP}").first
        return [bool(each) for each in table.ints("rlnSelected")]
    except (OSError, StarError):
        return None


def store_selection(change: Change, job: str, numbers: set[int], count: int) -> None:
    """A person's choice of `count` classes (numbers from 1), where the Select job looks for it."""
    chosen = [int(number in numbers) for number in range(1, count + 1)]
    table = StarTable.from_columns("", {"rlnSelected": chosen})
    change.write(job + BACKUP, format_star([table]))


def _model_of(project: Project, path: str) -> str:
    """A model itself, or the one that an optimiser file names."""
    if path.endswith("_model.star"):
        return path
    star = read_table(project, path)
    general = star.get("optimiser_general")
    return general.string("rlnModelStarFile") if general is not None else path


def _members(project: Project, data: str, count: int) -> np.ndarray | None:
    try:
        table = read_table(project, data)["particles"]
        return np.bincount(table.ints("rlnClassNumber"), minlength=count + 1)[1 : count + 1]
    except (OSError, StarError):
        return None
