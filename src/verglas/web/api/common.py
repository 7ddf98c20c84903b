"""What all routes share: the project of an address, who asks, files, and the record of changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Response

from verglas.project.project import Project
from verglas.scheduler.events import record_event
from verglas.web.access import Person
from verglas.web.confinement import confined
from verglas.web.projects import UnknownProject

YEAR_S = 31_536_000


def person_of(request: Request) -> Person:
    person: Person = request.scope["state"]["person"]
    return person


def project_of(pid: str, request: Request) -> Project:
    """The project of the address; a share link opens only its own."""
    person = person_of(request)
    if person.project and person.project != pid:
        raise UnknownProject(f"there is no project {pid!r} on this server")
    found: Project = request.app.state.projects.get(pid)
    return found


Asked = Annotated[Project, Depends(project_of)]
Asker = Annotated[Person, Depends(person_of)]


def job_of(project: Project, folder: str, job: str) -> str:
    """The full name "Class2D/job006/" of a job that the pipeline knows. Raises KeyError."""
    return project.graph().process(f"{folder}/{job}").name


def file_of(project: Project, path: str) -> Path:
    return confined(project, path)


def record(project: Project, person: Person, text: str) -> None:
    """Who changed what, into the project's event log."""
    record_event(project.root, "person", text, person=person.name)


def picture(data: bytes, kind: str, *, lasting: bool = True) -> Response:
    """An image; `lasting` where the address names the file's time, so that browsers may keep it."""
    age = f"private, max-age={YEAR_S}, immutable" if lasting else "no-cache"
    return Response(data, media_type=kind, headers={"cache-control": age})
