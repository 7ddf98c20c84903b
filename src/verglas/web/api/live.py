"""Live sessions: look, start, pause, resume, finish, verdicts, thresholds, new settings, trials."""

from __future__ import annotations

import glob
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from verglas.jobs.importing.raw_files import fixed_folder
from verglas.project.confinement import folder as folder_of
from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.beginning import Beginning, ask
from verglas.scheduler.live.requests.limits import change_thresholds, preview_thresholds
from verglas.scheduler.live.requests.reuse import profile_names
from verglas.scheduler.live.requests.snapshot import take_snapshot
from verglas.scheduler.live.requests.trial import files_of
from verglas.scheduler.live.requests.verdicts import give_verdict, try_again
from verglas.scheduler.settings import load_settings, save_settings
from verglas.web.api.common import Asked, Asker, FileName, Name, Values, answered, image_of, picture, record
from verglas.web.door.access import Person
from verglas.web.door.roles import check_path
from verglas.web.live import drawn as live_pictures
from verglas.web.live import sessions as live
from verglas.web.live import work as live_work
from verglas.web.live.health import DiscWatch, health, health_stamp
from verglas.web.live.movies import LiveMovies
from verglas.web.live.work import Resources
from verglas.web.models import live as shapes
from verglas.web.models.base import Lines
from verglas.web.pictures.images import spectrum_png
from verglas.web.serving import routes
from verglas.web.serving.worker import Worker

router = routes.router("/api/p/{pid}/live", "live")
_GIVEN = {
    "pixel-size",
    "kv",
    "cs",
    "amplitude-contrast",
    "dose-per-frame",
    "dose",
    "gain",
    "gain-rot",
    "gain-flip",
    "diameter",
    "eer-grouping",
    "bin",
    "movies",
    "thresholds",
}
_RESOURCES = {"name", "first", "workers", "devices", "profile", "three-d", "symmetry"}


class NewSession(BaseModel):
    """`folder`: where movies arrive; `given`: what nobody recorded, keys as `verglas live start` has."""

    folder: FileName = Field(min_length=1)
    given: Values = Field(default_factory=dict, max_length=40)
    settings: Values = Field(default_factory=dict, max_length=100)


class Wish(BaseModel):
    wish: Literal["run", "pause", "finish", "stop"]


class Verdict(live.Steering):
    """`forget` takes a person's verdict back; `again` tries failed movies again."""

    verdict: Literal["accept", "reject", "forget", "again"]
    numbers: list[int] = Field(min_length=1, max_length=20_000)
    why: str = Field("", max_length=200)


class Goal(BaseModel):
    """Good particles the session is meant to end with; 0 takes the goal away."""

    particles: int = Field(ge=0, le=1_000_000_000)


class Snapshot(BaseModel):
    """What the frozen jobs are called."""

    name: str = Field(min_length=2, max_length=60)


class Limits(live.Steering):
    """In the words of `verglas live thresholds`: "rlnCtfMaxResolution <= 6"; "none" for no limits."""

    text: str = Field(min_length=1, max_length=1000)


@router.get("")
@routes.status
def sessions(project: Asked) -> list[str]:
    """Live sessions, newest first."""
    return live.session_names(project)


@router.get("/profiles")
@routes.status
def profiles(project: Asked) -> list[str]:
    """Saved sets of options that a new session can begin with."""
    return profile_names()


@router.post("/look", response_model=shapes.Looked)
@routes.long
def look(body: NewSession, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """What is recognised of a folder of movies, what is missing, and how the first three movies fit.

    Nothing is started.
    """
    asked = _beginning(project, person, body)
    worker: Worker = request.app.state.worker
    return dict(asdict(worker.call(project.root, live_work.look_at, project.root, asked)))


@router.post("", response_model=Lines)
@routes.long
def start(body: NewSession, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Start a session; it goes on without the page and the server."""
    asked, resources = _beginning(project, person, body), _resources(body)
    worker: Worker = request.app.state.worker
    begin = live_work.begin_session
    name = worker.call(project.root, begin, project.root, asked, resources)
    record(project, person, f"live session {name} on {body.folder} started")
    return {"name": name, "lines": [f"live session {name} runs; it goes on without you"]}


@router.get("/{name}", response_model=shapes.SessionShown)
@routes.status
def one_session(name: Name, request: Request, project: Asked) -> Response:
    """Order, phase and status of a live session, as it wrote them last."""
    stamp = live.session_stamp(project, name)
    make = partial(live.session_status, project, name)
    return answered(request, ("session", name), stamp, make)


@router.get("/{name}/health", response_model=shapes.HealthShown)
@routes.status
def line_on_top(name: Name, request: Request, project: Asked) -> Response:
    """Good particles, their rate, hours to the goal and of the disc; what is not known is absent."""
    disc: DiscWatch = request.app.state.disc

    def make() -> dict[str, Any]:
        status = live.session_status(project, name)["status"] or {}
        return health(project, name, status, disc)

    stamp = f"{live.session_stamp(project, name)}|{health_stamp(project, name, disc)}"
    return answered(request, ("health", name), stamp, make)


@router.put("/{name}/goal", response_model=shapes.Goal)
@routes.status
def set_goal(name: Name, body: Goal, project: Asked, person: Asker) -> dict[str, Any]:
    """How many good particles the session is meant to end with."""
    live.check_session(project, name)
    settings = load_settings(project.root)
    save_settings(project.root, replace(settings, goal_particles=body.particles))
    record(project, person, f"goal: {body.particles:,} good particles")
    return {"goal": body.particles or None}


@router.get("/{name}/movies", response_model=shapes.MoviesShown)
def movies(name: Name, request: Request, project: Asked, since: Name = "") -> Response:
    """Every movie with its figures and, if it was set aside, why. Answers 304 while nothing changed.

    With `since`, the `version` of an earlier answer, only the rows that are new or have changed; `since` of
    the answer is empty where all rows had to be sent.
    """
    live.check_session(project, name)
    known: LiveMovies = request.app.state.live_movies
    stamp = known.stamp(project, name)
    make = partial(known.rows, project, name, since)
    return answered(request, ("movies", name, since), f"{since} {stamp}", make)


@router.get("/{name}/grid")
def grid(name: Name, request: Request, project: Asked) -> Response:
    """Grid squares and holes, and the hole (or -1) of every movie in the order of their numbers."""
    live.check_session(project, name)
    known: LiveMovies = request.app.state.live_movies
    stamp, make = known.grid(project, name)
    return answered(request, ("grid", name), stamp, make)


@router.get("/{name}/file", response_model=Lines)
def what_became_of(
    name: Name, request: Request, project: Asked, text: Annotated[str, Query(min_length=2, max_length=300)]
) -> dict[str, Any]:
    """What became of a file: taken, set aside, not taken and why, never seen."""
    status = live.session_status(project, name)["status"] or {}
    known: LiveMovies = request.app.state.live_movies
    return {"lines": known.what_became_of(project, name, text, status)}


@router.get("/{name}/shown", response_model=list[shapes.MovieShown])
def shown(
    name: Name, request: Request, project: Asked, numbers: Annotated[list[int], Query(max_length=24)]
) -> list[dict[str, Any]]:
    """Size and picks of some movies: what a small picture of each is drawn from."""
    live.check_session(project, name)
    known: LiveMovies = request.app.state.live_movies
    movies = [known.movie(project, name, number) for number in numbers]
    return [live_pictures.shown(project, LiveFolder(project.root, name), movie) for movie in movies]


@router.get("/{name}/spectrum/{number}")
def spectrum(name: Name, number: int, request: Request, project: Asked) -> Response:
    """Power spectrum with the fitted CTF of a movie, before any list names it."""
    live.check_session(project, name)
    movie = request.app.state.live_movies.movie(project, name, number)
    files = files_of(movie.name, LiveFolder(project.root, name).order().jobs)
    return picture(spectrum_png(image_of(project, files["spectrum"])), "image/png", lasting=False)


@router.post("/{name}/wish", response_model=Lines)
@routes.long
def wish(name: Name, body: Wish, project: Asked, person: Asker) -> dict[str, Any]:
    """Pause, resume, finish (drain, then report) or stop."""
    live.check_session(project, name)
    told = ask(project, LiveFolder(project.root, name), body.wish)
    record(project, person, f"live session {name}: {body.wish}")
    return {"lines": [told]}


@router.post("/verdict", response_model=Lines)
@routes.long
def verdict(body: Verdict, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Accept or reject micrographs by hand, take that back, or try failed ones again."""
    folder = live.steered(project, body)
    words = [str(number) for number in body.numbers]
    known: LiveMovies = request.app.state.live_movies
    with known.alone(project, folder.name) as ledger:
        if body.verdict == "again":
            lines = try_again(folder, words, ledger)
        else:
            given = "" if body.verdict == "forget" else body.verdict
            lines = give_verdict(folder, words, given, body.why, ledger)
    record(project, person, f"{body.verdict} {len(body.numbers)} micrographs")
    return {"lines": lines}


@router.post("/{name}/preview", response_model=shapes.LimitsPreview)
@routes.status
def preview(name: Name, body: Limits, project: Asked) -> dict[str, int]:
    """What limits would do before they are set: dropped, back, accepted of the judged; nothing changes."""
    live.check_session(project, name)
    text = "" if body.text.strip().lower() == "none" else body.text
    return preview_thresholds(project, LiveFolder(project.root, name), text)


@router.post("/thresholds", response_model=Lines)
@routes.long
def thresholds(body: Limits, project: Asked, person: Asker) -> dict[str, Any]:
    """Change the limits of a session; what depends on them is done again."""
    lines = change_thresholds(project, live.steered(project, body), body.text)
    record(project, person, f"live thresholds: {body.text}")
    return {"lines": lines}


@router.post("/{name}/snapshot", response_model=Lines)
@routes.long
def snapshot(name: Name, body: Snapshot, project: Asked, person: Asker) -> dict[str, Any]:
    """Freeze what is accepted now as ordinary Select jobs that never change."""
    live.check_session(project, name)
    lines = take_snapshot(project, LiveFolder(project.root, name), body.name)
    record(project, person, f"snapshot {body.name} of live session {name}")
    return {"lines": lines}


def _beginning(project: Project, person: Person, body: NewSession) -> Beginning:
    """Only folders of the project or of its registered data directories are watched."""
    folder_of(project, str(fixed_folder(body.folder)) if glob.has_magic(body.folder) else body.folder)
    given = {key: value.strip() for key, value in body.given.items() if value.strip()}
    for path in (body.folder, given.get("movies", "")):
        if ".." in Path(path).parts:
            raise live.LiveRefused(f"{path!r} leads out of the folder")
    if os.path.isabs(given.get("movies", "")):
        raise live.LiveRefused("the pattern of the movies is one inside the folder")
    if unknown := sorted(body.given.keys() - _GIVEN - _RESOURCES):
        known = ", ".join(sorted(_GIVEN | _RESOURCES))
        raise live.LiveRefused(f"{unknown[0]!r} is not asked for; known are {known}")
    check_path(person, project, "gain", given.get("gain", ""))
    settings = live.by_stage(body.settings)
    live.check_settings(person, project, settings)
    facts = {key: value for key, value in given.items() if key in _GIVEN}
    return Beginning(body.folder, facts, settings, given.get("profile", ""))


def _resources(body: NewSession) -> Resources:
    """What the session may use. Raises LiveRefused for a number that is none."""
    try:
        workers = int(body.given.get("workers", "").strip() or 0)
    except ValueError:
        raise live.LiveRefused(f"workers: {body.given['workers']!r} is no whole number") from None
    devices = tuple(filter(None, body.given.get("devices", "").replace(" ", "").split(",")))
    first = body.given.get("first", "").strip() or "oldest"
    three_d = body.given.get("three-d", "").strip() or "auto"
    symmetry, name = (body.given.get(key, "").strip() for key in ("symmetry", "name"))
    return Resources(name, first, max(0, workers), devices, three_d, symmetry)
