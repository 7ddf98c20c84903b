"""Drafts: what a page has not saved yet survives leaving it; each person has their own."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from verglas.project.drafts import Draft, discard_draft, drafts_of, read_draft, save_draft
from verglas.web.api.common import Asked, Asker, FileName, Name
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/drafts", "drafts")
MAX_PICKS = 100_000


class DraftPicks(BaseModel):
    """Picks of a micrograph as the page has them, in its pixels."""

    job: Name
    micrograph: FileName
    x: list[float] = Field(max_length=MAX_PICKS)
    y: list[float] = Field(max_length=MAX_PICKS)


class DraftClasses(BaseModel):
    """Classes chosen in the gallery of a model, numbers from 1."""

    model: FileName
    classes: list[int] = Field(max_length=10_000)


class DraftShown(BaseModel):
    """One unsaved thing, without its content."""

    kind: str
    of: str = Field(description="micrograph, or model file")
    job: str
    saved: str = Field(description="ISO time of the last change")
    count: int = Field(description="picks or classes in it")


class DraftFound(BaseModel):
    """`draft` is null if there is nothing unsaved."""

    draft: dict[str, Any] | None
    saved: str = ""


@router.get("")
@routes.status
def drafts(project: Asked, person: Asker) -> list[DraftShown]:
    """Everything that the asker has not saved, newest first."""
    return [
        DraftShown(kind=each.kind, of=each.of, job=each.job, saved=each.saved, count=_count(each))
        for each in drafts_of(project, person.name)
    ]


@router.put("/picks")
@routes.status
def keep_picks(body: DraftPicks, project: Asked, person: Asker) -> DraftFound:
    """Keep unsaved picks; saving the picks of the micrograph discards them."""
    value = {"x": body.x, "y": body.y}
    return _found(save_draft(project, "picks", body.micrograph, person.name, value, body.job))


@router.get("/picks")
@routes.status
def picks(job: Name, micrograph: FileName, project: Asked, person: Asker) -> DraftFound:
    """The asker's unsaved picks of a micrograph: `x` and `y`."""
    return _found(read_draft(project, "picks", micrograph, person.name, job))


@router.delete("/picks")
@routes.status
def discard_picks(job: Name, micrograph: FileName, project: Asked, person: Asker) -> DraftFound:
    """Forget unsaved picks."""
    discard_draft(project, "picks", micrograph, person.name, job)
    return _found(None)


@router.put("/classes")
@routes.status
def keep_classes(body: DraftClasses, project: Asked, person: Asker) -> DraftFound:
    """Keep an unsaved choice of classes; the Select job that is made of it discards it."""
    value = {"classes": body.classes}
    return _found(save_draft(project, "classes", body.model, person.name, value))


@router.get("/classes")
@routes.status
def classes(model: FileName, project: Asked, person: Asker) -> DraftFound:
    """The asker's unsaved choice among the classes of a model: `classes`."""
    return _found(read_draft(project, "classes", model, person.name))


@router.delete("/classes")
@routes.status
def discard_classes(model: FileName, project: Asked, person: Asker) -> DraftFound:
    """Forget an unsaved choice."""
    discard_draft(project, "classes", model, person.name)
    return _found(None)


def _found(draft: Draft | None) -> DraftFound:
    return DraftFound(draft=draft.value if draft else None, saved=draft.saved if draft else "")


def _count(draft: Draft) -> int:
    return len(next(iter(draft.value.values()), []))
