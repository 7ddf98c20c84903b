"""Directories outside the project whose files may be shown, as the project's owner registered them.

`.verglas/data_roots.json` lists absolute directories. Micrographs are often links into an archive: a
link is followed only into the project itself or into one of these.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.project.project import OWN_FOLDER, Project

FILE_NAME = "data_roots.json"


class BadDataRoot(ValueError):
    """A directory that cannot be registered; the message says why."""


def data_roots(project: Project) -> list[Path]:
    """The registered directories, links resolved; an unreadable list counts as empty."""
    try:
        known = json.loads((project.root / OWN_FOLDER / FILE_NAME).read_text())
        return [Path(os.path.realpath(each)) for each in known if os.path.isabs(each)]
    except (OSError, ValueError, TypeError):
        return []


def add_data_root(project: Project, directory: str | os.PathLike[str]) -> Path:
    """Register a directory (idempotent). Raises BadDataRoot for `/`, a home, or no directory."""
    path = Path(os.path.realpath(directory))
    if not path.is_dir():
        raise BadDataRoot(f"{directory} is not a directory")
    if path in (Path("/"), Path(os.path.realpath(Path.home()))):
        raise BadDataRoot(f"{path} is too much to show: register the directory of the movies")
    known = data_roots(project)
    if path not in known:
        (project.root / OWN_FOLDER).mkdir(exist_ok=True)
        text = json.dumps([str(each) for each in [*known, path]], indent=1)
        write_text(project.root / OWN_FOLDER / FILE_NAME, text)
    return path


def remove_data_root(project: Project, directory: str | os.PathLike[str]) -> None:
    """Take a registered directory back. Raises BadDataRoot for one that is not registered."""
    path, known = Path(os.path.realpath(directory)), data_roots(project)
    if path not in known:
        raise BadDataRoot(f"{directory} is not registered")
    text = json.dumps([str(each) for each in known if each != path], indent=1)
    write_text(project.root / OWN_FOLDER / FILE_NAME, text)


def add_import_root(project: Project, wildcard: str) -> Path | None:
    """Register where the files of an import lie, if that is outside the project; what was added.

    For imports that the owner types on the command line: a page must not open directories by itself.
    """
    fixed = wildcard.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    folder = Path(os.path.realpath(project.root / os.path.dirname(fixed)))
    if folder == project.root or project.root in folder.parents or not folder.is_dir():
        return None
    try:
        return add_data_root(project, folder)
    except BadDataRoot:
        return None
