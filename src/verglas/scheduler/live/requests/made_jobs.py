"""Jobs whose files a session writes itself: registered as at work, and ended when the files are there."""

from __future__ import annotations

from collections.abc import Mapping

from verglas.jobs.registry import job_class
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import register
from verglas.project.rounds import finish_first


def begin_job(project: Project, folder: str, texts: Mapping[str, str]) -> str:
    """Register a job of this type with these options; its name."""
    job = job_class(folder)
    options, _ = job.Options.parse(texts)
    return register(project, job, options, status=Status.RUNNING)


def end_job(project: Project, name: str, note: str) -> None:
    """All files of the job are there; `note` says where they come from."""
    finish_first(project.root / name)
    with project.change(f"{name} is complete") as change:
        change.note(name, [note])
        change.end(name, Status.SUCCEEDED)
