"""Movies whose particles a refinement knows, and how the frames of each are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.formats.star import StarTable
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.micrograph_job import Inputs
from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph, MicrographNames
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.contract.tables import Row, read_list, rows_of
from verglas.jobs.motioncorr.recorded import RecordedMotion, read_motion
from verglas.jobs.polish.inputs import METADATA, MicrographItem, micrograph_item
from verglas.jobs.refine.files.particles import read_particles

MOTION_X, MOTION_Y = "verglasMovieMotionXAngst", "verglasMovieMotionYAngst"  # beside the movie's own track
MOVIE, MICROGRAPH, FRAMES_ARE_ALIGNED = "rlnMicrographMovieName", "rlnMicrographName", "aligned"


@dataclass(frozen=True, kw_only=True)
class MovieInputs(Inputs):
    """Movies that have particles; how many have none."""

    items: tuple[MicrographItem, ...]
    optics_table: StarTable
    without_particles: int


def read_movie_inputs(movies: str, rootname: str, particles: str) -> MovieInputs:
    """Movies in the order of their list. Raises NothingToDo, JobFailed."""
    _, table = read_list(movies, "movies", "micrographs", "")
    rows = rows_of(table)
    if not any(label in table for label in (MOVIE, METADATA)):
        raise JobFailed(f"{movies} lists no movies: it has no {MOVIE}")
    listed = read_particles(particles, with_ctf=True)
    names = np.array(listed.table.strings(MICROGRAPH), object)
    known = MicrographNames(names)
    items = []
    for row in rows:
        try:
            micrograph = known.find(_without(str(row.get(MICROGRAPH, row.get(MOVIE, ""))), rootname))
        except AmbiguousMicrograph as error:
            raise JobFailed(str(error)) from error
        if micrograph is None:
            continue
        name = str(row.get(MOVIE, row.get(MICROGRAPH, "")))
        items.append(
            micrograph_item(name, np.flatnonzero(names == micrograph), listed, _row(row, micrograph))
        )
    if not items:
        raise NothingToDo(f"{particles} has no particle of any of the {len(rows)} movies of {movies} yet")
    return MovieInputs(
        items=tuple(items), optics_table=listed.optics_table, without_particles=len(rows) - len(items)
    )


def motion_of_movie(item: MicrographItem) -> RecordedMotion:
    """How to read the frames: as motion correction recorded, or as they are. Raises SetAside."""
    row = item.row
    if not row.get(FRAMES_ARE_ALIGNED):
        recorded = str(row.get(METADATA) or Path(str(row[MICROGRAPH])).with_suffix(".star"))
        if Path(recorded).exists():
            return read_motion(recorded)
    return _as_it_is(item)


def _row(row: Row, micrograph: str) -> Row:
    aligned = MOVIE in row and MICROGRAPH in row and METADATA not in row
    return {**row, MICROGRAPH: micrograph, FRAMES_ARE_ALIGNED: aligned}


def _without(name: str, rootname: str) -> str:
    """`x_movie.mrcs` as `x.mrcs`."""
    path = Path(name)
    ending = f"_{rootname}"
    if rootname and path.stem.endswith(ending):
        return str(path.with_name(path.stem.removesuffix(ending) + path.suffix))
    return name


def _as_it_is(item: MicrographItem) -> RecordedMotion:
    """A movie whose frames are aligned, or never were: no motion, no gain."""
    from verglas.formats.movies import UnreadableMovie, open_movie

    try:
        movie = open_movie(item.name)
    except (UnreadableMovie, OSError) as error:
        raise SetAside(str(error)) from error
    group = item.group()
    pixel = movie.info.pixel_size_angst or group.original_pixel_size_angst or group.pixel_size_angst
    return RecordedMotion(
        item.name, item.name, movie.shape_yx, movie.n_frames, 0, np.zeros((movie.n_frames, 2)), pixel, 1.0,
        group.voltage_kv, 0.0, 0.0, "", "", 1, 32, None, np.zeros((0, 2), np.int64),
    )  # fmt: skip
