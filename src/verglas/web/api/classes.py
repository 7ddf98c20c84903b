"""Classes: gallery, iterations, member particles, and the Select job that a choice becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from verglas.formats.stack import read_images
from verglas.jobs.registry import job_class, job_type
from verglas.project.change import Change
from verglas.project.drafts import forget_draft
from verglas.project.registration import LoadedJob
from verglas.project.results.classes import (
    averages,
    gallery,
    member_images,
    model_lists,
    store_selection,
    stored_selection,
)
from verglas.scheduler.launch import launch_as
from verglas.web.api.common import (
    Asked,
    Asker,
    FileName,
    Name,
    image_of,
    loaded_job,
    picture,
    record,
    table_of,
)
from verglas.web.models import pictures as shapes
from verglas.web.models.base import Named
from verglas.web.pictures.images import MOST_BOX, SPRITE_COLUMNS, check_box, sprite
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/classes", "classes")
MAX_MEMBERS = 200
MEMBER_COLUMNS = 12


class Choice(BaseModel):
    """Classes to keep (numbers from 1). `job`: an existing Select job whose choice it replaces."""

    model: FileName
    classes: list[int] = Field(max_length=10_000)
    job: str = Field("", max_length=200)
    recenter: bool = True


@router.get("", response_model=shapes.Models)
def models(project: Asked) -> dict[str, Any]:
    """Classifications that can be looked at, newest first, and the Select jobs made from classes."""
    selects = []
    for name, process in project.graph().processes.items():
        if job_type(process.folder).selects and stored_selection(project, name) is not None:
            selects.append({"job": name, "shown": process.shown_name})
    return {"models": model_lists(project), "selects": selects}


@router.get("/gallery", response_model=shapes.GalleryShown)
def one_gallery(model: FileName, project: Asked) -> dict[str, Any]:
    """Classes of one iteration; `models` names all iterations."""
    changed = table_of(project, model).stat().st_mtime_ns
    found = gallery(project, model).as_dict()
    return found | {"columns": SPRITE_COLUMNS, "changed": changed}


@router.get("/sprite")
def averages_sprite(model: FileName, project: Asked, side: int = 128) -> Response:
    """All class averages in one PNG, 20 to a row, in the order of the classes."""
    table_of(project, model)
    images = averages(project, gallery(project, model).classes)
    if not images:
        raise HTTPException(409, "these classes are maps: open them under Maps")
    for path in {path for path, _ in images}:
        check_box(image_of(project, path), MOST_BOX)
    data, _ = sprite(read_images(images), max(32, min(side, 256)))
    return picture(data, "image/png")


@router.get("/members")
def members(data: FileName, project: Asked, number: int, count: int = 60) -> Response:
    """Particles of one class, spread over all of them, in one PNG; header x-total says how many."""
    table_of(project, data)
    images, total = member_images(project, data, [number], min(count, MAX_MEMBERS))
    real = [(str(image_of(project, path)), index) for path, index in images]
    for path in {path for path, _ in real}:
        check_box(Path(path), MOST_BOX)
    if not real:
        raise HTTPException(404, f"class {number} has no particles")
    png, tile = sprite(read_images(real), 96, MEMBER_COLUMNS)
    answer = picture(png, "image/png", lasting=False)
    answer.headers["x-total"], answer.headers["x-tile"] = str(total), str(tile)
    answer.headers["x-count"] = str(len(real))
    return answer


@router.get("/selection", response_model=shapes.ChosenClasses)
def selection(job: Name, project: Asked) -> dict[str, Any]:
    """The choice stored in a Select job."""
    name = project.job_name(job)
    chosen = stored_selection(project, name)
    if chosen is None:
        raise HTTPException(404, f"{name} holds no choice of classes")
    return {"classes": [index + 1 for index, kept in enumerate(chosen) if kept]}


@router.post("/select", response_model=Named)
def select(body: Choice, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Make (or change) a Select job with these classes and run it."""
    table_of(project, body.model)
    count = len(gallery(project, body.model).classes)
    wrong = [number for number in body.classes if not 1 <= number <= count]
    if wrong or not body.classes:
        raise HTTPException(422, f"choose classes from 1 to {count}" + (f", not {wrong}" if wrong else ""))
    if body.job:
        loaded = loaded_job(project, project.job_name(body.job))
        options = loaded.options.changed(fn_model=body.model)
        asked = replace(loaded, options=options, is_continue=False)
    else:
        kind = job_class("Select")
        values = {"fn_model": body.model, "do_recenter": "Yes" if body.recenter else "No"}
        asked = LoadedJob("", kind, kind.Options.parse(values)[0], False)

    def choose(change: Change, name: str) -> None:
        store_selection(change, name, set(body.classes), count)
        forget_draft(change, "classes", body.model, person.name)

    launched = launch_as(project, asked, choose)
    name = launched.name
    request.app.state.starter.keep(project, launched)
    record(project, person, f"select {len(set(body.classes))} of {count} classes in {name}")
    return {"name": name}
