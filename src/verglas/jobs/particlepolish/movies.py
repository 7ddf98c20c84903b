"""Movie particles by movie: which images are the frames of which particle, and how these moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.movierefine.inputs import MOTION_X, MOTION_Y
from verglas.jobs.polish.inputs import HALF
from verglas.jobs.refine.files.particles import ParticleList, read_particles

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
FRAME = "rlnMovieFrameNumber"


@dataclass(frozen=True, eq=False)
class MovieParticles:
    """One movie: rows (P, F) of the list, and tracks beside it in Å (P, F, 2) as (y, x)."""

    name: str
    rows: Ints
    motion_angst: Floats
    places: Floats  # (P, 2) pixels of the micrograph

    def origins(self, listed: ParticleList, tracks_angst: Floats) -> Floats:
        """Shifts (P, F, 2) in Å that centre the frames if particles moved along these tracks."""
        found: Floats = listed.assignments.origin_yx_angst[self.rows] + self.motion_angst - tracks_angst
        return found


def read_movies(path: str) -> tuple[ParticleList, list[MovieParticles]]:
    """Movies in the order of the list. Raises NothingToDo, JobFailed for a list of another kind."""
    listed = read_particles(path, with_ctf=True)
    table = listed.table
    missing = [label for label in (FRAME, "rlnMicrographName", "rlnCoordinateX", HALF) if label not in table]
    if missing:
        raise JobFailed(f"{path} is not of movie refinement: it has no {', '.join(missing)}")
    names = [name.partition("@")[2] or name for name in table.strings("rlnMicrographName")]
    label = "rlnParticleName" if "rlnParticleName" in table else "rlnOriginalParticleName"
    if label not in table:
        raise JobFailed(f"{path} does not say which particle a movie particle is of: it has no {label}")
    keys = list(zip(names, table.strings(label)))
    by_particle: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(keys):
        by_particle.setdefault(key, []).append(row)
    movies: dict[str, list[list[int]]] = {}
    for (name, _), rows in by_particle.items():
        movies.setdefault(name, []).append(rows)
    return listed, [_movie(name, rows, listed, path) for name, rows in movies.items()]


def _movie(name: str, rows: list[list[int]], listed: ParticleList, path: str) -> MovieParticles:
    lengths = {len(each) for each in rows}
    if len(lengths) > 1:
        raise JobFailed(f"{path}: particles of {name} have different numbers of frames: {sorted(lengths)}")
    table, found = listed.table, np.array(rows, np.int64)
    found = np.take_along_axis(found, np.argsort(table.ints(FRAME)[found], axis=1, kind="stable"), 1)
    first = found[:, 0]
    places = np.stack([table.floats("rlnCoordinateY")[first], table.floats("rlnCoordinateX")[first]], 1)
    if MOTION_X in table:
        motion = np.stack([table.floats(MOTION_Y)[found], table.floats(MOTION_X)[found]], -1)
    else:  # of RELION: what origins differ by is the motion
        origins = listed.assignments.origin_yx_angst[found]
        motion = origins.mean(axis=1, keepdims=True) - origins
    return MovieParticles(name, found, motion, places)
