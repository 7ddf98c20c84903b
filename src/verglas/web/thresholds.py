"""Limits on the figures of micrographs as Select jobs: one job per column, each on the last one's output."""

from __future__ import annotations

from dataclasses import dataclass

from verglas.jobs.contract.base import Job
from verglas.jobs.registry import job_class
from verglas.project.change import Change
from verglas.project.project import Project
from verglas.project.registration import RefusedJob, check_options, enter
from verglas.project.results.micrographs import list_with

_NO_LIMIT = 1e9


@dataclass(frozen=True)
class Limit:
    """A figure ("ctf_resolution_angst") and the values that are kept; None: no limit."""

    figure: str
    low: float | None
    high: float | None


def select_jobs(project: Project, change: Change, path: str, limits: list[Limit]) -> list[str]:
    """Enter the jobs as scheduled; their names in order. Raises RefusedJob for unknown figures."""
    kind: type[Job] = job_class("Select")
    names: list[str] = []
    source = path  # every job keeps rows of it, and so its columns
    for limit in limits:
        label = list_with(project, source, limit.figure)
        if label is None:
            raise RefusedJob(f"{path} has no column for {limit.figure}: choose by another figure")
        options, _ = kind.Options.parse(
            {
                "fn_model": "",
                "fn_data": "",
                "fn_mic": path,
                "do_select_values": "Yes",
                "do_discard": "No",
                "do_split": "No",
                "do_remove_duplicates": "No",
                "select_label": label,
                "select_minval": f"{-_NO_LIMIT if limit.low is None else limit.low:.10g}",
                "select_maxval": f"{_NO_LIMIT if limit.high is None else limit.high:.10g}",
            }
        )
        check_options(kind, options)
        names.append(enter(change, kind, options))
        path = f"{names[-1]}micrographs.star"
    return names
