"""The projects of one server, by an id that can stand in an address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from verglas.jobs.contract.unknown import UnknownName
from verglas.project.project import Project


class UnknownProject(UnknownName):
    """No project of this server has that id."""


class Projects:
    """Projects in the order they were named when the server started."""

    def __init__(self, roots: Iterable[Path]) -> None:
        projects = [Project.open(root) for root in roots]
        self._known = {project_id(each.root): each for each in projects}

    def get(self, key: str) -> Project:
        try:
            return self._known[key]
        except KeyError:
            raise UnknownProject(f"there is no project {key!r} on this server") from None

    def add(self, project: Project) -> str:
        """Show a further project; its id."""
        key = project_id(project.root)
        self._known = {**self._known, key: project}
        return key

    def find(self, key: str) -> Project | None:
        return self._known.get(key)

    def items(self) -> list[tuple[str, Project]]:
        return list(self._known.items())


def project_id(root: Path) -> str:
    """Readable and unique: the directory's name and a few digits of its path's hash."""
    slug = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-") or "project"
    return f"{slug}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"
