"""The map of a live session: what is known of it, and what a person says of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import Field

from verglas.jobs.contract.set_aside import file_stamp
from verglas.project.project import Project
from verglas.scheduler.live.answers.told import Answers
from verglas.scheduler.live.record.answer_lines import answers_file
from verglas.scheduler.live.record.map_state import MapState, MapWish, map_line, read_history
from verglas.scheduler.live.record.order import LiveFolder, read_json
from verglas.scheduler.live.requests.map_wishes import accept_map, ask_again, set_map_mode
from verglas.web.api.common import Asked, Asker, Name, answered, record
from verglas.web.live import sessions as live
from verglas.web.live import work as live_work
from verglas.web.models import live as shapes
from verglas.web.models.base import Lines
from verglas.web.serving import routes
from verglas.web.serving.worker import Worker

router = routes.router("/api/p/{pid}/live", "live")


class MapAsked(live.Steering):
    """`confirm` needs the point group; `accept` goes on with a doubtful first map, `again` makes another one."""

    ask: Literal["confirm", "accept", "again", "off", "auto", "on"]
    symmetry: str = Field("", max_length=10)


@router.get("/{name}/map", response_model=shapes.MapShown)
@routes.status
def map_of(name: Name, request: Request, project: Asked) -> Response:
    """State, wishes and history (a line for each update, oldest first) of a session's map."""
    live.check_session(project, name)
    stamp = live.map_stamp(project, name)
    return answered(request, ("map", name), stamp, partial(_shown, project, name))


@router.get("/{name}/answers", response_model=Answers)
@routes.status
def answers_of(name: Name, request: Request, project: Asked) -> Response:
    """What the map says: forecast, views, what squares and hours add, alerts; empty before its first update."""
    live.check_session(project, name)
    folder = LiveFolder(project.root, name)

    def make() -> dict[str, Any]:
        return read_json(answers_file(folder)) or asdict(Answers())

    return answered(request, ("answers", name), file_stamp(answers_file(folder)), make)


@router.post("/map", response_model=Lines)
@routes.long
def ask_of_map(body: MapAsked, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Confirm a symmetry, accept a doubtful map, ask for another one, switch it off or on."""
    folder = live.steered(project, body)
    if body.ask == "confirm":
        if not body.symmetry:
            raise live.LiveRefused("say which symmetry is confirmed: C1, D7, O ...")
        worker: Worker = request.app.state.worker
        confirm = live_work.confirm_symmetry_of
        lines = worker.call(project.root, confirm, project.root, folder.name, body.symmetry)
    elif body.ask == "accept":
        lines = accept_map(project, folder)
    elif body.ask == "again":
        lines = ask_again(project, folder)
    else:
        lines = set_map_mode(project, folder, body.ask)
    record(project, person, f"map of live session {folder.name}: {body.ask} {body.symmetry}".rstrip())
    return {"lines": list(lines)}


def _shown(project: Project, name: str) -> dict[str, Any]:
    folder = LiveFolder(project.root, name)
    state = MapState.read(folder)
    known = asdict(state)
    return {
        "state": known,
        "line": map_line(known),
        "waits_for_symmetry": state.waits_for_symmetry,
        "wish": asdict(MapWish.read(folder)),
        "history": read_history(project.root, state.job),
    }
