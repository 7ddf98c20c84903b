"""Live sessions: look, start, pause, resume, finish, verdicts, thresholds, new settings, trials."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from verglas.web import live
from verglas.web.api.common import Asked, Asker, file_of, record

router = APIRouter(prefix="/api/p/{pid}/live", tags=["live"])
_WISHES = {"run": "resume", "pause": "pause", "finish": "finish", "stop": "stop"}
_GIVEN = {
    "pixel-size", "kv", "cs", "amplitude-contrast", "dose-per-frame", "dose", "gain", "gain-rot",
    "gain-flip", "diameter", "eer-grouping", "bin", "movies", "thresholds", "name", "first",
    "workers", "profile",
}  # fmt: skip
Text = dict[str, str]


class NewSession(BaseModel):
    """`folder`: where movies arrive; `given`: what nobody recorded, keys as `verglas live start` has."""

    folder: str = Field(min_length=1, max_length=1000)
    given: Text = Field(default_factory=dict, max_length=40)
    settings: Text = Field(default_factory=dict, max_length=100)


class Wish(BaseModel):
    wish: Literal["run", "pause", "finish", "stop"]


class Verdict(BaseModel):
    """`forget` takes a person's verdict back; `again` tries failed movies again."""

    verdict: Literal["accept", "reject", "forget", "again"]
    numbers: list[int] = Field(min_length=1, max_length=20_000)
    why: str = Field("", max_length=200)


class Change(BaseModel):
    """New options ("AutoPick.log_diam_max": "150") for `new` movies, `all`, or a range "12-40"."""

    values: Text = Field(min_length=1, max_length=100)
    scope: str = Field("new", pattern=r"^(new|all|\d+-\d+)$")


class Trial(BaseModel):
    micrograph: int
    values: Text = Field(default_factory=dict, max_length=100)


class Limits(BaseModel):
    """In the words of `verglas live thresholds`: "rlnCtfMaxResolution <= 6"."""

    text: str = Field(min_length=1, max_length=1000)


@router.get("")
def sessions(project: Asked) -> list[str]:
    """Live sessions, newest first."""
    return live.session_names(project)


@router.post("/look")
def look(body: NewSession, project: Asked) -> dict[str, Any]:
    """What is recognised of a folder of movies, as text; nothing is started."""
    return {"lines": live.command(project, [*_start_words(project, body), "--look"])}


@router.post("")
def start(body: NewSession, project: Asked, person: Asker) -> dict[str, Any]:
    """Start a session; it goes on without the page and the server."""
    lines = live.command(project, _start_words(project, body))
    record(project, person, f"live session on {body.folder} started")
    return {"lines": lines}


@router.get("/{name}")
def one_session(name: str, project: Asked) -> dict[str, Any]:
    """Order, phase and status of a live session, as it wrote them last."""
    return live.session_status(project, name)


@router.get("/{name}/movies")
def movies(name: str, project: Asked) -> dict[str, Any]:
    """Every movie with its figures and, if it was set aside, why."""
    return live.micrographs_of(project, name)


@router.post("/{name}/wish")
def wish(name: str, body: Wish, project: Asked, person: Asker) -> dict[str, Any]:
    """Pause, resume, finish (drain, then report) or stop."""
    live.session_status(project, name)
    lines = live.command(project, [_WISHES[body.wish], live.plain(name)])
    record(project, person, f"live session {name}: {body.wish}")
    return {"lines": lines}


@router.post("/verdict")
def verdict(body: Verdict, project: Asked, person: Asker) -> dict[str, Any]:
    """Accept or reject micrographs by hand, take that back, or try failed ones again."""
    words = [body.verdict, *(str(number) for number in body.numbers)]
    if body.why and body.verdict in ("accept", "reject"):
        words += [f"--why={body.why}"]
    lines = live.command(project, words)
    record(project, person, f"{body.verdict} {len(body.numbers)} micrographs")
    return {"lines": lines}


@router.post("/thresholds")
def thresholds(body: Limits, project: Asked, person: Asker) -> dict[str, Any]:
    """Change the limits of the newest session; what depends on them is done again."""
    lines = live.command(project, ["thresholds", live.plain(body.text)])
    record(project, person, f"live thresholds: {body.text}")
    return {"lines": lines}


@router.post("/set")
def change(body: Change, project: Asked, person: Asker) -> dict[str, Any]:
    """New options of the jobs while the session runs; dependent stages are done again."""
    words = [live.plain(f"{key}={value}") for key, value in body.values.items()]
    lines = live.command(project, ["set", *words, "--for", body.scope])
    record(project, person, f"live settings for {body.scope}: {', '.join(body.values)}")
    return {"lines": lines}


@router.post("/try")
def trial(body: Trial, project: Asked) -> dict[str, Any]:
    """One micrograph with other options, beside what it has now; nothing changes."""
    return {"lines": live.command(project, ["try", str(body.micrograph), *_set_words(body.values)])}


def _start_words(project: Any, body: NewSession) -> list[str]:
    """Only folders of the project or of its registered data directories are watched."""
    file_of(project, body.folder)
    words = ["start", live.plain(body.folder)]
    for key, value in body.given.items():
        if key not in _GIVEN:
            raise live.LiveRefused(
                f"{key!r} is not asked for; known are {', '.join(sorted(_GIVEN))}"
            )
        if value.strip():
            words.append(f"--{key}={value.strip()}")
    return [*words, *_set_words(body.settings)]


def _set_words(values: Text) -> list[str]:
    words: list[str] = []
    for key, value in values.items():
        words += ["--set", live.plain(f"{key}={value}")]
    return words
