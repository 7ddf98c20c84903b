"""Live sessions as the pages see them: the session's own status, and what one may ask of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.registry import job_class
from verglas.project.project import OWN_FOLDER, Project
from verglas.web.access import Person
from verglas.web.roles import check_values

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


def _json(path: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


class LiveRefused(ValueError):
    """The command line of live sessions refused; its words are the message."""


def command(project: Project, words: Sequence[str], timeout_s: float = 120.0) -> list[str]:
    """What `verglas live ...` prints: one process, no shell. Raises LiveRefused with its complaint.

    Looking at movies loads what a job needs; the server stays small.
    """
    done = subprocess.run(
        [sys.executable, "-m", "verglas.cli.main", "live", *words],
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise LiveRefused(lines[-1] if lines else f"verglas live ended with {done.returncode}")
    return done.stdout.splitlines()


def answer(project: Project, words: Sequence[str], timeout_s: float = 300.0) -> Any:
    """The same for commands that answer in JSON: their last line."""
    lines = command(project, words, timeout_s)
    return json.loads(lines[-1])


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


def plain(text: str) -> str:
    """A value that cannot be taken for a flag. Raises LiveRefused."""
    if text.startswith("-") or "\0" in text or "\n" in text:
        raise LiveRefused(f"{text!r} cannot stand here")
    return text


class Steering(BaseModel):
    """`session`: which one is meant; empty: the newest at work."""

    session: str = Field("", max_length=60)


def session_words(project: Project, body: Steering) -> list[str]:
    """How the command line is told which session is meant. Raises KeyError."""
    if not body.session:
        return []
    session_status(project, body.session)
    return ["--session", body.session]


def set_words(values: dict[str, str]) -> list[str]:
    """Options as `--set JOB.option=value`. Raises LiveRefused."""
    words: list[str] = []
    for key, value in values.items():
        words += ["--set", plain(f"{key}={value}")]
    return words
