"""Which files may be shown: those of the project, and of the data directories its owner registered."""

from __future__ import annotations

import os
from pathlib import Path

from verglas.project.data_roots import data_roots
from verglas.project.project import Project


class OutsideProject(PermissionError):
    """A path that leads out of the project and its registered data directories."""


def confined(project: Project, name: str) -> Path:
    """The real path of a name relative to the project root. Raises OutsideProject, FileNotFoundError.

    Links are followed, then the place they lead to must lie in the project or in a registered
    directory: a link inside the project proves nothing.
    """
    if not name or "\0" in name or "\\" in name:
        raise OutsideProject(f"{name!r} is not a path inside the project")
    path = Path(name)
    if ".." in path.parts:
        raise OutsideProject(f"{name!r} leads out of the project")
    real = Path(os.path.realpath(project.root / path))  # an absolute name stays absolute
    if not any(_inside(real, root) for root in (_real_root(project), *data_roots(project))):
        raise OutsideProject(
            f"{name!r} lies outside the project; its directory can be registered with: "
            "verglas new . --data-root DIR"
        )
    if _is_secret(real, project):
        raise OutsideProject(f"{name!r} is not shown")
    if not real.exists():
        raise FileNotFoundError(f"{name} does not exist")
    return real


def _real_root(project: Project) -> Path:
    return Path(os.path.realpath(project.root))


def _inside(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _is_secret(path: Path, project: Project) -> bool:
    """Version control and our own records of processes are nobody's pictures."""
    root = _real_root(project)
    return _inside(path, root) and any(
        part in (".git", ".ssh", ".verglas") for part in path.relative_to(root).parts
    )
