"""The one line on top of a session, and its counts, from the project's tables."""

from __future__ import annotations

import shutil
import time
from typing import Any

import numpy as np

from verglas.formats.star import StarError
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.results.classes import gallery, model_lists
from verglas.project.results.micrographs import (
    MicrographTable,
    micrograph_lists,
    micrograph_table,
)
from verglas.scheduler.events import read_events

_RECENT_S = 3600.0


def overview(project: Project) -> dict[str, Any]:
    """Counts, rates, picks, classes, disc; fields that are not known are absent, not zero."""
    found: dict[str, Any] = {"jobs": _job_counts(project)}
    lists = micrograph_lists(project)
    if lists:
        try:
            found |= _of_micrographs(micrograph_table(project, lists[0]))
        except (OSError, StarError) as error:
            found["problem"] = str(error)
    found |= _of_classes(project)
    usage = shutil.disk_usage(project.root)
    found["disc_free_gb"] = round(usage.free / 1e9, 1)
    return found


def what_happened(project: Project, since: str = "", last: int = 500) -> list[dict[str, Any]]:
    """Events, oldest first, from an instant (ISO) on."""
    return [event for event in read_events(project.root, last=last) if str(event["time"]) > since]


def _job_counts(project: Project) -> dict[str, int]:
    states = [process.status for process in project.graph().processes.values()]
    return {status.label: states.count(status) for status in Status}


def _of_micrographs(table: MicrographTable) -> dict[str, Any]:
    found: dict[str, Any] = {"list": table.path, "micrographs": len(table.names)}
    times = table.columns["time_s"]
    times = times[np.isfinite(times)]
    if len(times) > 1:
        span = float(np.ptp(times))
        recent = int((times > times.max() - _RECENT_S).sum())
        found["last_age_s"] = round(max(0.0, time.time() - float(times.max())))
        found["rate_per_h"] = round((recent - 1) / max(min(span, _RECENT_S) / 3600, 1e-6), 1)
    if "picks" in table.columns:
        found["picks"] = int(np.nansum(table.columns["picks"]))
    for key in ("fit_resolution_angst", "motion_angst", "defocus_u_angst"):
        if key in table.columns and np.isfinite(table.columns[key]).any():
            found[f"median_{key}"] = round(float(np.nanmedian(table.columns[key])), 2)
    return found


def _of_classes(project: Project) -> dict[str, Any]:
    for model in model_lists(project)[:1]:
        try:
            shown = gallery(project, model)
        except (OSError, StarError):
            continue
        known = [row.resolution_angst for row in shown.classes if row.resolution_angst]
        counts = [row.particles for row in shown.classes if row.particles]
        return {
            "model": model,
            "iteration": shown.iteration,
            "best_class_angst": round(min(known), 1) if known else None,
            "classified_particles": sum(counts) if counts else None,
        }
    return {}
