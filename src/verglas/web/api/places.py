"""Places on the server's machine: directories whose files may be shown, projects to open or to make."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from fastapi import HTTPException, Request
from pydantic import BaseModel, Field

from verglas.project.change import PIPELINE
from verglas.project.data_roots import add_data_root, data_roots, remove_data_root
from verglas.project.project import Project
from verglas.web.api.common import Asked, FileName, Operator, record
from verglas.web.projects import Projects
from verglas.web.serving import routes

router = routes.router("/api", "server")
MOST_FOLDERS = 5000


class DataRoot(BaseModel):
    """An absolute directory outside the project."""

    folder: FileName


class ProjectPlace(BaseModel):
    """Where a project lies, or (`create`) is to be made."""

    path: FileName
    create: bool = False


class ProjectOpened(BaseModel):
    """The id under which the pages show it."""

    id: str
    title: str
    path: str


class Folder(BaseModel):
    """One directory."""

    name: str
    is_project: bool


class Folders(BaseModel):
    """Directories of a place; `parent` is null at the top."""

    path: str
    parent: str | None
    is_project: bool
    folders: list[Folder]
    left_out: int = Field(0, description="directories beyond the first thousands")


@router.get("/p/{pid}/data-roots")
def roots(project: Asked) -> list[str]:
    """Directories outside the project whose files may be shown and watched."""
    return [str(each) for each in data_roots(project)]


@router.post("/p/{pid}/data-roots")
def add_root(body: DataRoot, project: Asked, person: Operator) -> list[str]:
    """Register a directory: from now on its files may be shown to all who see the project."""
    _check_absolute(body.folder)
    added = add_data_root(project, body.folder)
    record(project, person, f"data directory {added} may be shown")
    return [str(each) for each in data_roots(project)]


@router.delete("/p/{pid}/data-roots")
def remove_root(folder: FileName, project: Asked, person: Operator) -> list[str]:
    """Take a directory back."""
    remove_data_root(project, folder)
    record(project, person, f"data directory {folder} is not shown any more")
    return [str(each) for each in data_roots(project)]


@router.get("/folders")
def folders(request: Request, person: Operator, path: FileName = "") -> Folders:
    """Directories of the server's machine, to choose one from; for operators only."""
    known: Projects = request.app.state.projects
    start = path or str(next((each.root.parent for _, each in known.items()), Path.home()))
    _check_absolute(start)
    place = Path(os.path.realpath(start))
    try:
        with os.scandir(place) as entries:
            names = sorted(
                entry.name
                for entry in islice(entries, 10 * MOST_FOLDERS)
                if not entry.name.startswith(".") and entry.is_dir()
            )
    except (PermissionError, NotADirectoryError, FileNotFoundError) as error:
        raise HTTPException(404, f"{start}: {error.strerror}") from None
    shown = [Folder(name=name, is_project=_is_project(place / name)) for name in names[:MOST_FOLDERS]]
    return Folders(
        path=str(place),
        parent=str(place.parent) if place != place.parent else None,
        is_project=_is_project(place),
        folders=shown,
        left_out=max(0, len(names) - MOST_FOLDERS),
    )


@router.post("/projects")
def open_project(body: ProjectPlace, request: Request, person: Operator) -> ProjectOpened:
    """Show a further project until the server ends; with `create`, make the directory one."""
    _check_absolute(body.path)
    path = Path(body.path)
    if body.create and not path.parent.is_dir():
        raise HTTPException(422, f"{path.parent} does not exist: make it first")
    project = Project.create(path) if body.create else Project.open(path)
    known: Projects = request.app.state.projects
    record(project, person, "project made" if body.create else "project opened")
    return ProjectOpened(id=known.add(project), title=project.root.name, path=str(project.root))


def _check_absolute(path: str) -> None:
    if not os.path.isabs(path) or ".." in Path(path).parts:
        raise HTTPException(422, f"{path[:200]!r}: give the whole path, beginning with /")


def _is_project(path: Path) -> bool:
    return (path / PIPELINE).is_file()
