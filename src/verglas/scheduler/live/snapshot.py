"""`verglas live snapshot NAME`: what is accepted now, as ordinary Select jobs that never change."""

from __future__ import annotations

import json
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.star import read_star, write_star
from verglas.jobs.registry import job_class
from verglas.project.dialect import Status
from verglas.project.editing import set_alias
from verglas.project.note import append_execution
from verglas.project.project import Project
from verglas.project.registration import register
from verglas.project.rounds import finish_first
from verglas.scheduler.live.chain import LISTS
from verglas.scheduler.live.order import LiveFolder


def take_snapshot(project: Project, folder: LiveFolder, name: str) -> list[str]:
    """Freeze the accepted micrographs and their particles; the names of the new jobs in words.

    Raises LookupError if the session has no lists yet, AliasError for a name that cannot be an alias.
    """
    jobs = folder.order().jobs
    made = []
    for field, source, block, what in (
        ("fn_mic", jobs["Select"] + LISTS["Select"], "micrographs", "micrographs"),
        ("fn_data", jobs["Extract"] + LISTS["Extract"], "particles", "particles"),
    ):
        path = project.root / source
        if not path.exists():
            raise LookupError(f"{source} does not exist yet: the session has no {what}")
        star = read_star(path)
        if block not in star:
            raise LookupError(f"{source} lists no {what} yet")
        job_name = _register(project, field, source)
        write_star(project.root / job_name / f"{block}.star", list(star.values()))
        _end(project, job_name, source)
        set_alias(project, job_name, f"{name}_{what}")
        made.append((job_name, what, len(star[block])))
    _note(folder, name, made)
    return [f"{job} ({name}_{what}): {count} {what}" for job, what, count in made]


def _register(project: Project, field: str, source: str) -> str:
    """A Select job that keeps every row: its limits hold for all."""
    job = job_class("Select")
    texts = {field: source, "do_select_values": "Yes", "select_label": "rlnOpticsGroup",
             "select_minval": "0", "select_maxval": "1000000"}  # fmt: skip
    options, _ = job.Options.parse(texts)
    return register(project, job, options, status=Status.RUNNING)


def _end(project: Project, name: str, source: str) -> None:
    append_execution(project.root / name, [f"verglas live snapshot: frozen copy of {source}"])
    finish_first(project.root / name)
    project.directory(name).write_exit(Status.SUCCEEDED)
    project.set_status(name, Status.SUCCEEDED)


def _note(folder: LiveFolder, name: str, made: list[tuple[str, str, int]]) -> None:
    path: Path = folder.path / "snapshots.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = {what: {"job": job, "count": count} for job, what, count in made}
    write_text(path, json.dumps(known, indent=1))
