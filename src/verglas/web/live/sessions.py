"""Live sessions as the pages see them: the session's own status, and what one may ask of it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, Field

from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.registry import job_class
from verglas.project.project import OWN_FOLDER, Project
from verglas.scheduler.live.record.map_state import HISTORY, MapState, MapWish
from verglas.scheduler.live.record.order import OVER, LiveFolder, all_sessions
from verglas.web.door.access import Person
from verglas.web.door.roles import check_values

_TOLD = ("order", "state", "wish", "status")


def session_names(project: Project) -> list[str]:
    """Newest first."""
    base = project.root / OWN_FOLDER / "live"
    found = [path.parent for path in base.glob("*/order.json")]
    found.sort(key=lambda each: (each / "order.json").stat().st_mtime, reverse=True)
    return [each.name for each in found]


def check_session(project: Project, name: str) -> None:
    """Raises UnknownName for a name that does not exist."""
    if name not in session_names(project):
        raise UnknownName(f"there is no live session {name!r} in this project")


def session_stamp(project: Project, name: str) -> str:
    """Changes with what `session_status` would tell. Raises UnknownName."""
    check_session(project, name)
    folder = project.root / OWN_FOLDER / "live" / name
    return "|".join(file_stamp(folder / f"{key}.json") for key in _TOLD)


def session_status(project: Project, name: str) -> dict[str, Any]:
    """What the session wrote last. Raises KeyError for a name that does not exist."""
    check_session(project, name)
    folder = project.root / OWN_FOLDER / "live" / name
    found: dict[str, Any] = {"name": name}
    for key in _TOLD:
        found[key] = _json(folder / f"{key}.json")
    return found


def map_stamp(project: Project, name: str) -> str:
    """Changes with what is known of a session's map, and with each of its updates."""
    folder = LiveFolder(project.root, name)
    files = [MapState.file(folder), MapWish.file(folder), project.root / MapState.read(folder).job / HISTORY]
    return "|".join(file_stamp(path) for path in files)


def _json(path: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


class LiveRefused(ValueError):
    """What was asked of a session cannot be; the message says why."""


def steered(project: Project, body: Steering) -> LiveFolder:
    """The session that is meant: the one that is named, else the newest at work. Raises UnknownName."""
    if body.session:
        check_session(project, body.session)
        return LiveFolder(project.root, body.session)
    sessions = all_sessions(project.root)
    if not sessions:
        raise UnknownName("there is no live session in this project: begin one")
    at_work = [each for each in sessions if each.phase() not in OVER]
    return (at_work or sessions)[-1]


def by_stage(values: dict[str, str]) -> dict[str, dict[str, str]]:
    """ "AutoPick.log_diam_max": "150" as options by job. Raises LiveRefused."""
    found: dict[str, dict[str, str]] = {}
    for key, value in values.items():
        folder, dot, option = key.partition(".")
        if not dot or not option:
            raise LiveRefused(f"{key!r}: expected JOB.option, e.g. MotionCorr.patch_x")
        found.setdefault(folder, {})[option] = value
    return found


def check_settings(person: Person, project: Project, values: dict[str, dict[str, str]]) -> None:
    """Whether a person may give the session's jobs these options. Raises NotAllowed, UnknownName."""
    for folder, texts in values.items():
        check_values(person, project, job_class(folder), texts)


class Steering(BaseModel):
    """`session`: which one is meant; empty: the newest at work."""

    session: str = Field("", max_length=60)
