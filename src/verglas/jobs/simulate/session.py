"""A recording session: movies made by a 'microscope' and delivered as a careful copy script would.

SESSION/gain.mrc            what raw frames are multiplied with (turned as the camera's owner has it)
SESSION/session.json        the settings
SESSION/truth/NAME.star     one for each movie; micrographs.star and particles.star for all
SESSION/store/NAME.tif      movies that wait for delivery (none with direct delivery)
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from verglas.compute.executors import Poison, run_tasks
from verglas.compute.progress import Progress, SilentProgress
from verglas.formats.atomic import atomic_write, write_text
from verglas.jobs.simulate.movie import MovieTask, session_camera, write_movie
from verglas.jobs.simulate.settings import SessionSettings
from verglas.jobs.simulate.truth import join_truth


def write_session(
    session: Path,
    settings: SessionSettings,
    *,
    movies_in: Path | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> list[Path]:
    """Make every movie of a session (in `movies_in`, default SESSION/store) and all truth; the movies' paths.

    Movies that are complete from an interrupted call with the same settings are kept. Each appears
    under its name only when it is complete. Raises RuntimeError if a worker died three times on a movie.
    """
    movies = movies_in or session / "store"
    tasks = prepare(session, settings, movies)
    todo = [task for task in tasks if not _is_done(task)]
    shown = progress or SilentProgress()
    shown.start(f"Simulating {len(tasks)} movies ...", len(tasks))
    for done, (task, result) in enumerate(
        run_tasks(write_movie, todo, workers=min(workers, max(len(todo), 1))), len(tasks) - len(todo) + 1
    ):
        if isinstance(result, Poison):
            raise RuntimeError(f"{task.movie}: {result}")
        shown.update(done)
    join_truth(session / "truth", settings, [Path(task.truth) for task in tasks])
    return [Path(task.movie) for task in tasks]


def prepare(session: Path, settings: SessionSettings, movies: Path) -> list[MovieTask]:
    """Directories, gain and settings of a session, and what is to be made.

    Raises FileExistsError if the directory holds movies of other settings.
    """
    record = session / "session.json"
    is_other = record.exists() and record.read_text() != settings.as_json()
    if is_other and any((session / "truth").glob("*.star")):
        raise FileExistsError(f"{session} holds a session of other settings; take a new directory")
    for directory in (session / "truth", movies):
        directory.mkdir(parents=True, exist_ok=True)
    write_gain(session / "gain.mrc", settings)
    write_text(record, settings.as_json())
    names = [settings.movie_name(index) for index in range(settings.movies)]
    return [
        MovieTask(settings, index, str(movies / name), str(_truth_of(session, name)))
        for index, name in enumerate(names)
    ]


def write_gain(path: Path, settings: SessionSettings) -> None:
    """The gain reference, turned so that the session's gain rotation and flip bring it right."""
    import numpy as np

    from verglas.formats.mrc import write_mrc

    gain = session_camera(settings).gain
    if settings.format == "eer":  # programs divide by an .mrc gain of EER movies
        gain = np.divide(1, gain, out=np.zeros_like(gain), where=gain > 0)
    if settings.gain_flip == 1:
        gain = gain[::-1]
    elif settings.gain_flip == 2:
        gain = gain[:, ::-1]
    # the option turns clockwise on a screen whose rows run down: the file is turned the other way
    write_mrc(path, np.ascontiguousarray(np.rot90(gain, settings.gain_rotation)), settings.pixel_size_angst)


def _truth_of(session: Path, movie_name: str) -> Path:
    return session / "truth" / (Path(movie_name).stem + ".star")


def _is_done(task: MovieTask) -> bool:
    return os.path.exists(task.truth) and os.path.exists(task.movie)


def deliver(movies: Iterable[Path], destination: Path, *, move: bool = False) -> list[Path]:
    """Copy (or move) movies under a temporary name and rename them, as the manual tells people to do."""
    destination.mkdir(parents=True, exist_ok=True)
    delivered = []
    for movie in movies:
        final = destination / movie.name
        if not final.exists():
            with atomic_write(final) as out, open(movie, "rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)
        if move:
            movie.unlink(missing_ok=True)
        delivered.append(final)
    return delivered


def lots(movies: Sequence[Path], count: int) -> list[list[Path]]:
    """Movies in `count` lots that differ by one movie at most, the larger ones first."""
    size, larger = divmod(len(movies), count)
    parts, begin = [], 0
    for index in range(count):
        end = begin + size + (index < larger)
        parts.append(list(movies[begin:end]))
        begin = end
    return parts


def run_microscope(
    session: Path,
    settings: SessionSettings,
    destination: Path,
    *,
    every_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    told: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Make and deliver one movie every `every_seconds`, in this process (later if making it takes longer).

    Interrupted, it goes on where it stopped when called again with the same settings.
    """
    tasks = prepare(session, settings, session / "store")
    delivered: list[Path] = []
    due = clock()
    for task in tasks:
        final = destination / Path(task.movie).name
        if not (final.exists() and os.path.exists(task.truth)):
            write_movie(task)
            sleep(max(0.0, due - clock()))
            deliver([Path(task.movie)], destination, move=True)
            due = max(due, clock() - every_seconds) + every_seconds
            if told is not None:
                told(final)
        delivered.append(final)
    join_truth(session / "truth", settings, [Path(task.truth) for task in tasks])
    return delivered
