"""When micrographs were taken: by the time of their movies, which copying for a session keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verglas.formats.star import StarError
from verglas.jobs.contract.nodes import MOVIES
from verglas.project.confinement import read_table
from verglas.project.names import decompose
from verglas.project.project import Project

_MOVIE = "rlnMicrographMovieName"


def times_taken_s(project: Project, names: list[str]) -> np.ndarray:
    """Calendar time of each micrograph: its movie's, else that of the file itself; nan without either."""
    movies = _movies(project)
    times = []
    for name in names:
        own = project.root / name
        movie = movies.get(_stem(decompose(name)[2]))
        time_s = _mtime(project.root / movie) if movie else float("nan")
        times.append(time_s if np.isfinite(time_s) else _mtime(own))
    return np.array(times)


def _movies(project: Project) -> dict[str, str]:
    """Path without its ending -> movie, of every list of movies."""
    found: dict[str, str] = {}
    for node in project.graph().nodes.values():
        if node.type != MOVIES or not project.exists(node.name):
            continue
        try:
            star = read_table(project, node.name)
        except (OSError, StarError):
            continue
        for table in star.values():
            if _MOVIE in table:
                found |= {_stem(movie): movie for movie in table.strings(_MOVIE)}
    return found


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.rpartition('.')[0] or name}"


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("nan")
