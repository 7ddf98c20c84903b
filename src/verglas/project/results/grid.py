"""Grid squares and holes of a list of micrographs, by their names and what lies beside the movies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from verglas.jobs.contract.tables import after_job
from verglas.project.project import Project
from verglas.project.results.grid_places import GridPlaces
from verglas.project.results.micrographs import micrograph_table


def grid_of_list(project: Project, path: str) -> GridPlaces:
    """Places in the order of the list; made anew when it has changed. Raises OSError, StarError."""
    changed = (project.root / path).stat().st_mtime_ns
    return _places(project, path, changed)


@lru_cache(maxsize=4)
def _places(project: Project, path: str, _changed: int) -> GridPlaces:
    names = micrograph_table(project, path).names
    movies: list[Path] = [project.root / after_job(name) for name in names]
    places = GridPlaces()
    while len(places.hole_of) < len(movies):
        places.extend(movies[len(places.hole_of) :])
    return places
