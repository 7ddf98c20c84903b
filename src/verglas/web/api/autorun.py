"""Autorun: start, look, stop (pipeline.md §3.3)."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, Field

from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.scheduler.clock import elapsed_s
from verglas.scheduler.launch import abort
from verglas.scheduler.schedule import Order, ScheduleFolder, all_schedules
from verglas.scheduler.supervisor import ensure_supervisor, is_looked_after
from verglas.web.api.common import Asked, Asker, Name, record
from verglas.web.logs import log_tail
from verglas.web.models import jobs as shapes
from verglas.web.models.base import Named
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/autorun", "autorun")


class NewSchedule(BaseModel):
    """What the Autorun dialog asks. No jobs: all scheduled ones."""

    name: str = Field("schedule1", max_length=60)
    jobs: list[Name] = Field(default_factory=list, max_length=1000)
    repeat: int = Field(1, ge=1, le=1_000_000)
    min_wait_min: float = Field(15, ge=0, le=100_000)
    wait_before_min: float = Field(0, ge=0, le=100_000)
    on_failure: Literal["stop", "retry-next-round", "continue"] = "stop"


class Stop(BaseModel):
    abort: bool = False


@router.get("", response_model=list[shapes.ScheduleShown])
@routes.status
def schedules(project: Asked) -> list[dict[str, Any]]:
    """Every schedule: what was asked, how far it is, when the next round begins."""
    return [_shown(folder) for folder in all_schedules(project.root)]


@router.post("", response_model=Named)
def start(body: NewSchedule, project: Asked, person: Asker) -> dict[str, Any]:
    """Run scheduled jobs, once or in rounds; it goes on without the page and the server."""
    graph = project.graph()
    if body.jobs:
        jobs = [graph.process(name).name for name in body.jobs]
    else:
        jobs = [name for name, each in graph.processes.items() if each.status is Status.SCHEDULED]
    if not jobs:
        raise HTTPException(422, "there is no scheduled job: fill in a form and press Schedule first")
    order = Order(
        body.name,
        tuple(graph.in_order(jobs)),
        body.repeat,
        body.min_wait_min,
        body.wait_before_min,
        body.on_failure,
    )
    begin(project, order)
    record(project, person, f"autorun {order.name}: {len(jobs)} jobs, {order.repeat} times")
    return {"name": order.name}


def begin(project: Project, order: Order) -> None:
    """Enter a schedule and see that somebody works on it."""
    folder = ScheduleFolder(project.root, order.name)
    if folder.is_wanted and is_looked_after(folder):
        raise HTTPException(
            409, f"a schedule {order.name} is running: stop it, or give this one another name"
        )
    folder.create(order)
    ensure_supervisor(project.root)


@router.get("/{name}/log", response_model=shapes.Log)
@routes.status
def log(name: Name, project: Asked) -> dict[str, Any]:
    return log_tail(project, _folder(project, name).log_file.name)


@router.post("/{name}/stop", response_model=shapes.ScheduleShown)
def stop(name: Name, body: Stop, project: Asked, person: Asker) -> dict[str, Any]:
    """Stop within seconds; a job at work ends by itself unless `abort`."""
    folder = _folder(project, name)
    state = folder.progress()
    folder.stop()
    if body.abort and state.in_hand:
        abort(project, state.in_hand)
    record(project, person, f"stop schedule {name}")
    return _shown(folder)


def _folder(project: Project, name: str) -> ScheduleFolder:
    for folder in all_schedules(project.root):
        if folder.name == name:
            return folder
    raise HTTPException(404, f"there is no schedule {name!r}")


def _shown(folder: ScheduleFolder) -> dict[str, Any]:
    order, state = folder.order(), folder.progress()
    absence = folder.lease.absence() if folder.is_wanted else ""
    wait_s = None
    if state.phase in ("between", "before"):
        wanted_min = order.min_wait_min if state.phase == "between" else order.wait_before_min
        gone = elapsed_s(state.started_boot, state.started_boottime_s, state.started_wall_s)
        wait_s = max(0.0, wanted_min * 60 - gone)
    return {
        "name": folder.name,
        "jobs": list(order.jobs),
        "repeat": order.repeat,
        "min_wait_min": order.min_wait_min,
        "phase": state.phase,
        "round": state.round,
        "in_hand": state.in_hand,
        "message": absence or state.message,
        "over": state.is_over,
        "wanted": folder.is_wanted,
        "alive": folder.lease.is_held(),
        "next_round_in_s": wait_s,
        "now_s": time.time(),
        "results": {job: vars_of(result) for job, result in state.results.items()},
    }


def vars_of(result: Any) -> dict[str, Any]:
    return {"kind": result.kind, "reason": result.reason}
