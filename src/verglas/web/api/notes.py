"""Notes: the project's own, and those of all jobs in a row."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from verglas.jobs.contract.control_files import NOTE
from verglas.project.note import PROJECT_NOTE, write_note
from verglas.web.api.common import Asked, Asker, note_of, record
from verglas.web.models import jobs as shapes
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}", "jobs")


class Note(BaseModel):
    text: str = Field(max_length=200_000)


@router.get("/note", response_model=shapes.Note)
@routes.status
def project_note(project: Asked) -> dict[str, str]:
    """The note of the project as a whole (RELION's `project_note.txt`)."""
    return {"text": note_of(project, PROJECT_NOTE)}


@router.put("/note")
def save_project_note(body: Note, project: Asked, person: Asker) -> dict[str, Any]:
    """Replace the project's note."""
    write_note(project.root, body.text, PROJECT_NOTE)
    record(project, person, "project note")
    return {}


@router.get("/notes", response_model=list[shapes.JobNote])
def all_notes(project: Asked) -> list[dict[str, str]]:
    """Notes of all jobs that have one, in pipeline order."""
    found = []
    for name, process in project.graph().processes.items():
        text = note_of(project, f"{name}{NOTE}")
        if text.strip():
            found.append({"job": name, "shown": process.shown_name, "text": text})
    return found
