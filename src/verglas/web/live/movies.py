"""Every movie of a live session as the pages plot it: figures, verdict and its words, place on the grid.

Journals grow by lines: what was read stays in memory, and a page that asks again costs only what is new.
"""

from __future__ import annotations

import fnmatch
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.select.thresholds import UNLIKE_FILE, UNLIKE_VERDICT
from verglas.project.project import Project
from verglas.project.results.grid_places import GridPlaces
from verglas.scheduler.live.record.judging import Judging, judging_of, select_job, verdict_of
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.web.live.rows import MovieRows, last_stage

CACHE_SESSIONS = 4
SHOWN_FATES = 5


@dataclass
class _Known:
    """One session's journal as far as it was read, and the places of its movies."""

    ledger: Ledger
    inode: int
    size: int = 0
    places: GridPlaces = field(default_factory=GridPlaces)
    rows: MovieRows = field(default_factory=MovieRows)
    touched: list[Movie] = field(default_factory=list)  # read, and not in the rows yet
    judged_by: Judging | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class LiveMovies:
    """The sessions looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Known] = OrderedDict()

    def stamp(self, project: Project, name: str) -> str:
        """Changes whenever an answer would."""
        folder = LiveFolder(project.root, name)
        select = project.root / select_job(folder) / "job.star"
        manual = folder.manual_file
        files = (folder.journal, select, manual, manual.with_name(UNLIKE_FILE))
        return "|".join(file_stamp(path) for path in files)

    def rows(self, project: Project, name: str, since: str) -> dict[str, Any]:
        """Names, figures (None: not known), verdicts with their words, column by column.

        Only rows that changed after the version `since` where that is known, else all.
        """
        folder = LiveFolder(project.root, name)
        judging = judging_of(project, folder)
        known = self._known(folder)
        with known.lock:
            movies, rows = known.ledger.movies, known.rows
            self._judge(known, judging)
            return rows.table(movies, rows.since(since)) | {"thresholds": judging.text}

    @staticmethod
    def _judge(known: _Known, judging: Judging) -> None:
        """New rows by the limits in force; all of them when the limits or verdicts changed."""
        movies, rows = known.ledger.movies, known.rows
        rows.update(movies, known.touched)
        anew = known.judged_by != judging
        which = range(len(movies)) if anew else [each.number - 1 for each in known.touched]
        rows.judge(movies, lambda movie: (*verdict_of(movie, judging), _by_hand(movie, judging)), which)
        known.judged_by, known.touched = judging, []

    def grid(self, project: Project, name: str) -> tuple[str, Callable[[], dict[str, Any]]]:
        """Squares and holes, and the hole of every movie; `pending` movies were not looked at yet.

        As what changes with the answer, and the answer's maker.
        """
        known = self._known(LiveFolder(project.root, name))
        with known.lock:
            places, movies = known.places, known.ledger.movies
            places.extend(project.root / movie.path for movie in movies[len(places.hole_of) :])
            pending = len(movies) - len(places.hole_of)
            counts = len(places.squares), len(places.holes), len(places.hole_of), pending
            return f"{known.rows.epoch} {counts}", lambda: {**places.as_dict(), "pending": pending}

    def what_became_of(self, project: Project, name: str, text: str, status: dict[str, Any]) -> list[str]:
        """Files of that name (or a part of it), and what became of each, in words."""
        folder = LiveFolder(project.root, name)
        known, judging = self._known(folder), judging_of(project, folder)
        with known.lock:
            fitting = [movie for movie in known.ledger.movies if text in movie.name]
            told = [_fate(movie, judging) for movie in fitting[:SHOWN_FATES]]
        if len(fitting) > SHOWN_FATES:
            told.append(f"... and {len(fitting) - SHOWN_FATES} more movies of such names")
        told += [
            f"{file}: seen, not taken: {why}" for file, why in status.get("not_taken") or [] if text in file
        ]
        return told or [_why_unseen(folder.order().wildcard, text)]

    @contextmanager
    def alone(self, project: Project, name: str) -> Iterator[Ledger]:
        """The movies as they are now, for one who writes what persons say of them: one at a time."""
        known = self._known(LiveFolder(project.root, name))
        with known.lock:
            yield known.ledger

    def movie(self, project: Project, name: str, number: int) -> Movie:
        """One movie by its number. Raises KeyError."""
        movies = self._known(LiveFolder(project.root, name)).ledger.movies
        if not 1 <= number <= len(movies):
            raise UnknownName(f"{name} has no movie {number}")
        return movies[number - 1]

    def _known(self, folder: LiveFolder) -> _Known:
        try:
            stat = folder.journal.stat()
            inode, size = stat.st_ino, stat.st_size
        except OSError:
            inode = size = 0
        key = str(folder.journal)
        with self._lock:
            known = self._kept.get(key)
            if known is None or known.inode != inode or size < known.size:
                known = self._kept[key] = _Known(Ledger(folder.journal), inode)
            self._kept.move_to_end(key)
            while len(self._kept) > CACHE_SESSIONS:
                self._kept.popitem(last=False)
        with known.lock:
            if size != known.size:
                known.touched += known.ledger.read()
                known.size = size
        return known


def _by_hand(movie: Movie, judging: Judging) -> str:
    """A person's verdict, if there is one."""
    verdict, _ = judging.manual.get(movie.micrograph, ("", ""))
    return "" if verdict == UNLIKE_VERDICT else verdict


def _fate(movie: Movie, judging: Judging) -> str:
    kind, why = verdict_of(movie, judging)
    done = last_stage(movie)
    state = f"{kind}: {why}" if kind else f"through {done}" if done else "waiting for its turn"
    return f"{movie.name}: taken as movie {movie.number}, {state}"


def _why_unseen(wildcard: str, text: str) -> str:
    pattern = Path(wildcard)
    if Path(text).suffix and not fnmatch.fnmatch(Path(text).name, pattern.name):
        return f"{Path(text).name} does not match {pattern.name}, which this session takes"
    return f"no file of that name was seen in {pattern.parent}: is it there yet?"
