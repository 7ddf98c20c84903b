"""Who am I, which projects are there, share links."""

from __future__ import annotations

import time
from typing import Any

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from verglas import __version__
from verglas.project.summary import job_summaries
from verglas.web.api.common import Asked, Asker, Name, Operator, record
from verglas.web.door.guard import COOKIE
from verglas.web.models import server as shapes
from verglas.web.serving import routes

router = routes.router("/api", "server")
MAX_SHARE_DAYS = 90


class Login(BaseModel):
    token: str = Field(max_length=200)


class Share(BaseModel):
    """A link for looking only, to one project, with an end."""

    name: str = Field("guest", min_length=1, max_length=80)
    days: float = Field(7, gt=0, le=MAX_SHARE_DAYS)


@router.get("/session", response_model=shapes.Who)
@routes.status
def who_am_i(request: Request) -> dict[str, Any]:
    """The asker's name and role; `role` is null without a valid token."""
    person = request.scope["state"].get("person")
    settings = request.app.state.settings
    return {
        "version": __version__,
        "needs_token": settings.needs_token,
        "name": person.name if person else None,
        "role": ("viewer" if settings.read_only else person.role) if person else None,
        "may_change": bool(person and person.may_change and not settings.read_only),
        "may_command": bool(person and person.may_command and not settings.read_only),
        "project": person.project if person else "",
    }


@router.post("/session")
@routes.status
def log_in(login: Login, request: Request, response: Response) -> dict[str, Any]:
    """Exchange a token for a cookie that scripts cannot read; it holds a key of its own."""
    settings = request.app.state.settings
    person = settings.access.find(login.token)
    if person is None:
        raise HTTPException(401, "this token is not known here, or it has expired")
    key = settings.access.open_session(login.token)
    response.set_cookie(
        COOKIE,
        key,
        httponly=True,
        samesite="strict",
        path=settings.root_path or "/",
        secure=request.url.scheme == "https",
    )
    return {"name": person.name, "role": person.role}


@router.delete("/session")
@routes.status
def log_out(request: Request, response: Response) -> dict[str, Any]:
    """Forget the cookie and its key; the token itself stays good."""
    request.app.state.settings.access.close_session(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path=request.app.state.settings.root_path or "/")
    return {}


@router.get("/projects", response_model=list[shapes.ProjectRow])
@routes.status
def projects(request: Request, person: Asker) -> list[dict[str, Any]]:
    """Every project of this server with the number of its jobs by state."""
    found = []
    for key, project in request.app.state.projects.items():
        if person.project and person.project != key:
            continue
        states = [job.status for job in job_summaries(project)]
        counts = {state: states.count(state) for state in dict.fromkeys(states)}
        found.append({"id": key, "title": project.root.name, "path": str(project.root), "jobs": counts})
    return found


@router.post("/p/{pid}/share")
@routes.status
def share(pid: Name, body: Share, request: Request, project: Asked, person: Operator) -> dict[str, Any]:
    """Make a read-only link that ends by itself; the token is told only once."""
    settings = request.app.state.settings
    if not settings.needs_token:
        raise HTTPException(409, "this server answers on this machine only; start it with --host to share it")
    token = settings.access.add(body.name, "viewer", days=body.days, project=pid)
    record(project, person, f"share link for {body.name}, {body.days:g} days")
    return {"token": token, "address": f"{settings.root_path}/#/p/{pid}/project?token={token}"}


@router.get("/p/{pid}/share", response_model=list[shapes.ShareRow])
@routes.status
def shares(pid: Name, request: Request, project: Asked, person: Operator) -> list[dict[str, Any]]:
    """Links to this project that are still good, for operators; tokens are not kept and not told."""
    now = time.time()
    return [
        {"name": each.name, "days_left": round((each.expires_s - now) / 86400, 2)}
        for each in request.app.state.settings.access.people
        if each.project == pid and each.expires_s is not None and each.is_valid(now)
    ]


@router.delete("/p/{pid}/share/{name}")
@routes.status
def unshare(pid: Name, name: Name, request: Request, project: Asked, person: Operator) -> dict[str, Any]:
    """Take the links of a name to this project back."""
    count = request.app.state.settings.access.remove(name, project=pid)
    if not count:
        raise HTTPException(404, f"nobody called {name!r} has a link to this project")
    record(project, person, f"share link of {name} taken back")
    return {"count": count}
