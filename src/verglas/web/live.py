"""Live sessions as the pages see them: the session's own status, its journal, what one may ask of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from verglas.project.project import OWN_FOLDER, Project


def session_names(project: Project) -> list[str]:
    """Newest first."""
    base = project.root / OWN_FOLDER / "live"
    found = [path.parent for path in base.glob("*/order.json")]
    found.sort(key=lambda each: (each / "order.json").stat().st_mtime, reverse=True)
    return [each.name for each in found]


def session_status(project: Project, name: str) -> dict[str, Any]:
    """What the session wrote last. Raises KeyError for a name that does not exist."""
    if name not in session_names(project):
        raise KeyError(f"there is no live session {name!r} in this project")
    folder = project.root / OWN_FOLDER / "live" / name
    found: dict[str, Any] = {"name": name}
    for key in ("order", "state", "wish", "status"):
        found[key] = _json(folder / f"{key}.json")
    return found


def _json(path: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def micrographs_of(project: Project, name: str) -> dict[str, Any]:
    """Every movie of a session, column by column: names, figures (None: not known), why set aside."""
    from verglas.jobs.live_figures import KINDS
    from verglas.scheduler.live.ledger import Ledger
    from verglas.scheduler.live.order import LiveFolder

    session_status(project, name)
    ledger = Ledger(LiveFolder(project.root, name).journal)
    ledger.read()
    movies = ledger.movies
    known = {key for movie in movies for key in movie.figures}
    return {
        "numbers": [movie.number for movie in movies],
        "names": [movie.micrograph or movie.name for movie in movies],
        "aside": [movie.aside for movie in movies],
        "aside_stage": [movie.aside_stage for movie in movies],
        "taken_s": [movie.taken_s for movie in movies],
        "kinds": [
            {"key": kind.key, "title": kind.title, "unit": kind.unit}
            for kind in KINDS
            if kind.key in known
        ],
        "columns": {key: [movie.figures.get(key) for movie in movies] for key in known},
    }


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


def plain(text: str) -> str:
    """A value that cannot be taken for a flag. Raises LiveRefused."""
    if text.startswith("-") or "\0" in text or "\n" in text:
        raise LiveRefused(f"{text!r} cannot stand here")
    return text
