"""Settings of a live session: what is in force, what a change costs, trials beside the present."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.requests.stage_changes import change_settings, preview_settings
from verglas.web.api.common import Asked, Asker, Name, Values, picture, record
from verglas.web.live import drawn as live_pictures
from verglas.web.live import sessions as live
from verglas.web.live import work as live_work
from verglas.web.models import live as shapes
from verglas.web.models.base import Lines
from verglas.web.pictures.images import jpeg_bytes, resized, spectrum_png
from verglas.web.serving import routes
from verglas.web.serving.worker import Worker

router = routes.router("/api/p/{pid}/live", "live")
TRIAL_S = 900.0  # large movies on a busy machine


class Change(live.Steering):
    """New options ("AutoPick.log_diam_max": "150") for `new` movies, `all`, or a range "12-40"."""

    values: Values = Field(min_length=1, max_length=100)
    scope: str = Field("new", pattern=r"^(new|all|\d+-\d+)$")


class Trial(BaseModel):
    """Micrographs (numbers) to be processed with other options; nothing of the session changes."""

    micrographs: list[int] = Field(min_length=1, max_length=6)
    values: Values = Field(default_factory=dict, max_length=100)


@router.get("/{name}/settings", response_model=dict[str, shapes.StageOptions])
@routes.status
def settings(name: Name, project: Asked) -> dict[str, Any]:
    """Options in force by stage, and what was changed since the start."""
    live.check_session(project, name)
    known = StageSettings.read(LiveFolder(project.root, name).settings_file)
    return {
        stage: {
            "options": known.options(stage, known.latest(stage)),
            "changes": [{"scope": version.scope, "values": version.changed} for version in versions[1:]],
        }
        for stage, versions in known.versions.items()
        if versions
    }


@router.post("/set", response_model=Lines)
@routes.long
def change(body: Change, project: Asked, person: Asker) -> dict[str, Any]:
    """New options of the jobs while the session runs; dependent stages are done again."""
    live.check_settings(person, project, live.by_stage(body.values))
    values = live.by_stage(body.values)
    lines = change_settings(project, live.steered(project, body), values, body.scope)
    record(project, person, f"live settings for {body.scope}: {', '.join(body.values)}")
    return {"lines": lines}


@router.post("/{name}/cost", response_model=shapes.CostShown)
@routes.status
def cost(name: Name, body: Change, project: Asked) -> shapes.CostShown:
    """What `set` would take: movies treated again, from which stage, how long; nothing changes."""
    live.check_session(project, name)
    found = preview_settings(LiveFolder(project.root, name), live.by_stage(body.values), body.scope)
    return shapes.CostShown.of(found)


@router.post("/{name}/try", response_model=list[shapes.TrialShown])
@routes.long
def trial(name: Name, body: Trial, request: Request, project: Asked, person: Asker) -> list[dict[str, Any]]:
    """Micrographs with other options, each beside what it has now; nothing changes."""
    live.check_session(project, name)
    live.check_settings(person, project, live.by_stage(body.values))
    worker: Worker = request.app.state.trials
    if not request.app.state.trial.acquire(blocking=False):
        raise HTTPException(409, "another trial is at work: try again when it has ended")
    try:
        found = worker.call(
            project.root,
            live_work.try_settings,
            project.root,
            name,
            body.micrographs,
            live.by_stage(body.values),
            limit_s=TRIAL_S,
        )
    finally:
        request.app.state.trial.release()
    return [live_pictures.trial_shown(project, each) for each in found]


@router.get("/{name}/try/{number}/{picture_of}")
def trial_picture(
    name: Name,
    number: int,
    picture_of: Literal["micrograph", "spectrum"],
    request: Request,
    project: Asked,
    side: int = 640,
) -> Response:
    """The micrograph or the power spectrum of a movie's last trial."""
    live.check_session(project, name)
    file = live_pictures.trial_file(LiveFolder(project.root, name), number, picture_of)
    if file is None:
        raise HTTPException(404, f"there is no trial of movie {number} with a {picture_of}")
    if picture_of == "spectrum":
        return picture(spectrum_png(file), "image/png", lasting=False)
    pyramid = request.app.state.pyramids.pyramid(file)
    side = max(32, min(side, 1024))
    return picture(jpeg_bytes(resized(pyramid.small(side), side)), "image/jpeg", lasting=False)
