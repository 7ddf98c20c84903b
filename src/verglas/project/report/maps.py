"""The newest map of a project: central sections, the FSC of its halves, its resolution."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import UnreadableImage
from verglas.formats.stack import open_stack
from verglas.formats.star import StarError
from verglas.jobs.registry import job_type
from verglas.jobs.report.grey import Bytes, full_range
from verglas.project.confinement import confined
from verglas.project.project import Project
from verglas.project.results.curves import fsc_curves, model_of_map
from verglas.project.results.postprocess import RESOLVED

Floats = NDArray[np.float64]
_CURVES = ("FSC, corrected", "gold-standard FSC")  # the first that is there decides
LARGEST_BOX = 1024


@dataclass(frozen=True, eq=False)
class MapShown:
    """`sections` lie across z, y and x; the curve is empty without one, the resolution then None."""

    path: str
    sections: Bytes
    width_angst: float
    frequency: Floats
    fsc: Floats
    resolution_angst: float | None


def newest_map(project: Project) -> MapShown | None:
    """Of the newest post-processing, else of the newest refinement that has one."""
    kinds = [(name, job_type(process.folder)) for name, process in project.graph().processes.items()]
    newest_first = [(name, kind) for name, kind in reversed(kinds) if kind.final_map]
    for job, kind in sorted(newest_first, key=lambda each: each[1].map_rank):
        if project.exists(job + kind.final_map):
            with suppress(OSError, StarError, UnreadableImage, ValueError):
                return map_shown(project, job + kind.final_map)
    return None


def map_shown(project: Project, path: str) -> MapShown:
    """One map. Raises OSError, StarError, UnreadableImage."""
    sections, width = central_sections(project, path)
    frequency, fsc = np.zeros(0), np.zeros(0)
    model = model_of_map(project, path)
    if model is not None:
        frequency, fsc = _curve(project, model)
    return MapShown(path, sections, width, frequency, fsc, resolution_of(frequency, fsc))


def central_sections(project: Project, path: str) -> tuple[Bytes, float]:
    """Sections through the middle across z, y and x, side by side on one grey scale, and the width in Å."""
    with open_stack(confined(project, path)) as stack:
        count, (height, width) = len(stack), stack.shape_yx
        if not count == height == width or count > LARGEST_BOX:
            raise ValueError(f"{path} is no cube of at most {LARGEST_BOX} voxels a side")
        volume = stack.map()
        middle = count // 2
        parts = [volume[middle], np.asarray(volume[:, middle]), np.asarray(volume[:, :, middle])]
        pixel_angst = stack.pixel_size_angst
    upright = [np.asarray(part, np.float32)[::-1] for part in parts]  # the second axis goes up
    z, y, x = np.hsplit(full_range(np.hstack(upright)), 3)
    gap = np.full((count, max(1, count // 48)), 255, np.uint8)
    return np.hstack([z, gap, y, gap, x]), count * pixel_angst


def resolution_of(frequency: Floats, fsc: Floats) -> float | None:
    """The last shell before the curve falls below 0.143, in Å."""
    below = np.flatnonzero(fsc[1:] < RESOLVED) + 1
    last = int(below[0]) - 1 if len(below) else len(fsc) - 1
    return float(1 / frequency[last]) if len(fsc) and last > 0 and frequency[last] > 0 else None


def _curve(project: Project, model: str) -> tuple[Floats, Floats]:
    found = fsc_curves(project, model)
    for wanted in _CURVES:
        for each in found:
            if each["name"].endswith(wanted):
                values = np.array([np.nan if y is None else y for y in each["y"]], float)
                return np.array(each["x"], float), values
    return np.zeros(0), np.zeros(0)
