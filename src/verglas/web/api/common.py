"""What all routes share: the project of an address, who asks, files, and the record of changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Response
from pydantic import StringConstraints

from verglas.jobs.contract.control_files import JOB_STAR, RUN_JOB
from verglas.project.confinement import LARGEST_TABLE, LARGEST_TEXT, read_small_text, regular_file
from verglas.project.project import Project
from verglas.project.registration import LoadedJob, load_job
from verglas.scheduler.events import record_event
from verglas.web.door.access import Person
from verglas.web.projects import UnknownProject
from verglas.web.serving.answers import Answers, sent_as

YEAR_S = 31_536_000
LARGEST_IMAGE = 64 << 30  # bytes of a stack or map: read in pieces, never whole

_PRINTABLE = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"  # no controls but tab and line feed
FileName = Annotated[str, StringConstraints(max_length=4000, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)]
Texts = Annotated[str, StringConstraints(max_length=4000, pattern=_PRINTABLE)]
Values = dict[Name, Texts]


async def person_of(request: Request) -> Person:
    person: Person = request.scope["state"]["person"]
    return person


async def project_of(pid: Name, request: Request) -> Project:
    """The project of the address; a share link opens only its own."""
    person = await person_of(request)
    if person.project and person.project != pid:
        raise UnknownProject(f"there is no project {pid!r} on this server")
    found: Project = request.app.state.projects.get(pid)
    return found


async def operator_of(request: Request) -> Person:
    """For what only somebody may do who may run commands on the server's machine."""
    person = await person_of(request)
    if not person.may_command or person.project:
        raise HTTPException(403, "only an operator may do this: it opens the machine, not a project")
    return person


Asked = Annotated[Project, Depends(project_of)]
Asker = Annotated[Person, Depends(person_of)]
Operator = Annotated[Person, Depends(operator_of)]


def job_of(project: Project, folder: str, job: str) -> str:
    """The full name "Class2D/job006/" of a job that the pipeline knows. Raises UnknownName."""
    return project.graph().process(f"{folder}/{job}").name


def loaded_job(project: Project, name: str) -> LoadedJob:
    """Class and options of a job whose settings lie in the project. Raises as `load_job`, OutsideProject."""
    for file in (JOB_STAR, RUN_JOB):
        if os.path.lexists(project.root / name / file):
            regular_file(project, f"{name}{file}", LARGEST_TEXT)
    return load_job(project, name)


def table_of(project: Project, name: str) -> Path:
    """A STAR file through the door, of a size that is read."""
    return regular_file(project, name, LARGEST_TABLE)


def image_of(project: Project, name: str) -> Path:
    """A micrograph, stack or map through the door."""
    return regular_file(project, name, LARGEST_IMAGE)


def note_of(project: Project, name: str) -> str:
    """A note through the door; empty if there is none that may be shown."""
    try:
        return read_small_text(project, name)
    except OSError:
        return ""


def record(project: Project, person: Person, text: str) -> None:
    """Who changed what, into the project's event log."""
    record_event(project.root, "person", text, person=person.name)


def answered(request: Request, key: tuple[str, ...], stamp: str, make: Callable[[], Any]) -> Response:
    """An answer that is made once for all who ask, until its stamp changes."""
    answers: Answers = request.app.state.answers
    return sent_as(request, answers.get((request.path_params["pid"], *key), stamp, make))


def picture(data: bytes, kind: str, *, lasting: bool = True) -> Response:
    """An image; `lasting` where the address names the file's time, so that browsers may keep it."""
    age = f"private, max-age={YEAR_S}, immutable" if lasting else "no-cache"
    return Response(data, media_type=kind, headers={"cache-control": age})
