"""The one line on top of a session, and its counts, from the project's tables."""

from __future__ import annotations

import shutil
import time
from typing import Any

import numpy as np

from verglas.formats.star import StarError
from verglas.jobs.contract.set_aside import file_stamp
from verglas.project.change import PIPELINE
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.results.classes import gallery, model_lists
from verglas.project.results.micrographs import MicrographTable, micrograph_lists, micrograph_table
from verglas.scheduler.events import read_events
from verglas.scheduler.live.record.status import rate_range
from verglas.web.former import with_former

_RECENT_S = 3600.0
_AGE_EVERY_S = 30.0
LEAST_SPAN_S = 600.0
_MEDIANS = ("ctf_resolution_angst", "motion_total_angst", "defocus_u_angst")


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


def overview_stamp(project: Project) -> str:
    """Changes with what `overview` tells; ages and the free disc are told anew twice a minute."""
    lists = micrograph_lists(project)[:1]
    models = model_lists(project)[:1]
    files = (file_stamp(project.root / name) for name in (PIPELINE, *lists, *models))
    return "|".join((*files, str(int(time.time() / _AGE_EVERY_S))))


def what_happened(project: Project, since: str = "", last: int = 500) -> list[dict[str, Any]]:
    """Events, oldest first, from an instant (ISO) on."""
    return [event for event in read_events(project.root, last=last) if event["time"] > since]


def _job_counts(project: Project) -> dict[str, int]:
    states = [process.status for process in project.graph().processes.values()]
    return {status.label: states.count(status) for status in Status}


def _of_micrographs(table: MicrographTable) -> dict[str, Any]:
    found: dict[str, Any] = {"list": table.path, "micrographs": len(table.names)}
    times = table.columns["time_s"]
    times = times[np.isfinite(times)]
    if len(times):
        found["last_age_s"] = round(max(0.0, time.time() - float(times.max())))
    found |= _rate(times)
    if "picks" in table.columns:
        found["picks"] = int(np.nansum(table.columns["picks"]))
    medians = {
        f"median_{kind.key}": round(float(np.nanmedian(table.columns[kind.key])), 2)
        for kind in table.kinds
        if kind.key in _MEDIANS
    }
    return found | with_former(medians, "median_")


def _rate(times_s: np.ndarray) -> dict[str, Any]:
    """Movies per hour over the last hour of the session, with the range that counting leaves open.

    Absent for less than ten minutes of movies: a few seconds say nothing about an hour.
    """
    recent = np.sort(times_s)[np.sort(times_s) > times_s.max(initial=0.0) - _RECENT_S]
    span_s = float(np.ptp(recent)) if len(recent) > 1 else 0.0
    if span_s < LEAST_SPAN_S:
        return {}
    low, high = rate_range(len(recent) - 1, span_s)
    return {
        "rate_per_h": round((len(recent) - 1) * 3600 / span_s, 1),
        "rate_range_per_h": [round(low, 1), round(high, 1)],
        "rate_over_s": round(span_s),
    }


def _of_classes(project: Project) -> dict[str, Any]:
    for model in model_lists(project)[:1]:
        try:
            shown = gallery(project, model)
        except (OSError, StarError):
            continue
        counts = [row.particles for row in shown.classes if row.particles]
        return {
            "model": model,
            "iteration": shown.iteration,
            "best_class_angst": shown.best_angst,
            "classified_particles": sum(counts) if counts else None,
        }
    return {}
