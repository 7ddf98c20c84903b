"""Live sessions as the pages see them: the session's own status, its journal, what one may ask of it."""

from __future__ import annotations

import json
from typing import Any

from verglas.project.project import OWN_FOLDER, Project

WISHES = ("run", "pause", "finish", "stop")


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


def ask(project: Project, name: str, wish: str) -> None:
    """Pass a wish on; the session obeys within a second."""
    from verglas.scheduler.live.order import LiveFolder

    LiveFolder(project.root, name).wish(wish)
