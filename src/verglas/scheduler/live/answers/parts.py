"""What each grid square and each hour of a session adds to its map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verglas.formats.star import StarTable, read_star
from verglas.jobs.refine.streaming.history import SEARCHED
from verglas.outlook.contribution import contributions, evened, particle_signal
from verglas.project.project import Project
from verglas.project.results.grid_places import GridPlaces
from verglas.scheduler.live.answers.told import Part
from verglas.scheduler.live.record.judging import judging_of, verdict_of
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder

HOUR_S = 3600
_NAME, _PMAX, _CLASS = "rlnMicrographName", "rlnMaxValueProbDistribution", "rlnClassNumber"
_Place = tuple[str, float | None, float | None, float | None]  # the first fields of Part
_places: dict[str, GridPlaces] = {}  # of the sessions of this process: places once found stay


@dataclass(frozen=True)
class Parts:
    """`counted` movies are through: in the map, or set aside."""

    squares: list[Part]
    hours: list[Part]
    counted: int
    in_map: int  # particles


def read_particles(path: Path) -> StarTable:
    """The particles of a map, with their poses. Raises OSError, StarError."""
    return read_star(path)["particles"]


def what_parts_add(project: Project, folder: LiveFolder, particles: StarTable) -> Parts:
    """By grid square, where the movies tell it, and by hour. Raises StarError for particles without Pmax."""
    movies = Ledger.of(folder).movies
    index = {each.micrograph: number for number, each in enumerate(movies) if each.micrograph}
    rows = np.array([index.get(name, -1) for name in particles.strings(_NAME)], np.int64)
    classes = particles.ints(_CLASS) if _CLASS in particles else np.ones(len(particles), int)
    known = rows >= 0
    of_movie, p_max = rows[known], particles.floats(_PMAX)[known]
    if SEARCHED in particles and len(of_movie):
        p_max = evened(p_max, of_movie, particles.ints(SEARCHED)[known])
    signal = particle_signal(p_max, classes[known] == 1)
    counted = _counted(project, folder, movies, of_movie)

    def parts(groups: NDArray[np.int64], names: Sequence[_Place]) -> list[Part]:
        found = contributions(signal, of_movie, groups, counted)
        return [Part(*names[each.group], each) for each in found]

    return Parts(
        parts(*_squares(project, folder, movies)),
        parts(*_hours(movies)),
        int(counted.sum()),
        int((classes[known] == 1).sum()),
    )


def _counted(
    project: Project, folder: LiveFolder, movies: Sequence[Movie], in_map: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Movies with particles in the map; as far as the map has come also those set aside, and those whose particles
    did not get into it (there are none, or 2D classes left them out): they add nothing."""
    counted = np.zeros(len(movies), bool)
    counted[in_map] = True
    judging = judging_of(project, folder)
    newest = int(in_map.max()) if len(in_map) else -1
    for number, movie in enumerate(movies[: newest + 1]):
        through = all(made > 0 for made in movie.made)
        counted[number] |= through or bool(verdict_of(movie, judging)[0])
    return counted


def _squares(
    project: Project, folder: LiveFolder, movies: Sequence[Movie]
) -> tuple[NDArray[np.int64], list[_Place]]:
    """Square of each movie (-1: not known), and what squares there are."""
    places = _places.setdefault(str(folder.path), GridPlaces())
    if len(places.hole_of) > len(movies):
        places = _places[str(folder.path)] = GridPlaces()
    while len(places.hole_of) < len(movies):
        places.extend(project.root / movie.path for movie in movies[len(places.hole_of) :])
    groups = np.array([places.holes[hole].square if hole >= 0 else -1 for hole in places.hole_of], np.int64)
    return groups, [(each.name, None, each.x, each.y) for each in places.squares]


def _hours(movies: Sequence[Movie]) -> tuple[NDArray[np.int64], list[_Place]]:
    """Hour of each movie by the time of its file, and the hours there are."""
    hours = [int(_written_s(movie) // HOUR_S) for movie in movies]
    known = sorted(set(hours))
    several_days = bool(known) and _of(known[0]).date() != _of(known[-1]).date()
    form = "%d %b %H:%M" if several_days else "%H:%M"
    names: list[_Place] = [(f"{_of(hour):{form}}", float(hour * HOUR_S), None, None) for hour in known]
    return np.searchsorted(known, hours).astype(np.int64), names


def _of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_S)


def _written_s(movie: Movie) -> float:
    """When the file was complete; when it was taken, where its stamp does not say."""
    _, _, changed = movie.stamp.partition(":")
    return int(changed) / 1e9 if changed.isdigit() else movie.taken_s
