"""Keeping the output lists of the chain's jobs up to date, in a process of its own, at intervals.

Mostly a list is changed by the rows of the movies that changed (by_rows.py), which costs the same however
many movies there are. From time to time the jobs rebuild their lists and summaries themselves (anew.py):
at the beginning, when settings or verdicts changed, at a pause and at the end, whenever an eighth of the
movies is new, and where something does not fit. The bytes are the same either way. The process follows the
journal by its own offset and keeps what it knows.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.star import StarError
from verglas.formats.star.splicing import CannotSplice
from verglas.jobs.chain import IMPORT
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.set_aside import SetAside, SetAsideList, file_stamp
from verglas.jobs.select.thresholds import UNLIKE_FILE
from verglas.scheduler.live.publishing.anew import rebuild_all
from verglas.scheduler.live.publishing.by_rows import publish_changes
from verglas.scheduler.live.publishing.standing import Lists
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import read_json
from verglas.scheduler.live.record.stage_settings import StageSettings

NICE = 5
GROWTH = 1 / 8  # of new movies after which everything is rebuilt: its cost per movie stays the same
LEAST_GROWTH = 5
REBUILD_SHARE = 40.0  # rebuilding for growth takes at most one part in so many of a processor


@dataclass(frozen=True)
class PublishTask:
    """What to bring up to date."""

    folder: str  # the session's own
    jobs: dict[str, str]
    options: dict[str, dict[str, str]]  # of every job of the chain
    optics: tuple[dict[str, str], ...]  # rows of the optics table
    not_taken: tuple[tuple[str, str, str], ...] = ()  # (name, path, reason)
    fresh: bool = False  # read every row anew
    complete: bool = False  # summaries, too


@dataclass(frozen=True)
class SanityTask:
    """Look whether the first movies fit what was said about them."""

    folder: str
    movies: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What was found, in words: what is wrong, and everything."""

    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """How long it took, and what could not be written."""

    seconds: float
    problems: tuple[str, ...] = ()
    accepted: int = 0
    cpu_s: float = 0.0  # of the process: what it takes from the movies
    bytes: int = 0  # of the lists
    complete: bool = False  # whether everything was rebuilt


class _Publisher:
    """What the process keeps between calls."""

    def __init__(self, folder: str) -> None:
        self.ledger = Ledger(Path(folder) / "movies.jsonl")
        self.changed: dict[int, Movie] = {}
        self.lists: Lists | None = None  # None: everything has to be rebuilt
        self.first = True
        self.rebuilt = 0  # movies at the last rebuild
        self.situation = ""
        self.not_before_s = 0.0  # the next rebuild for growth alone

    def publish(self, task: PublishTask) -> tuple[tuple[str, ...], bool]:
        """Problems, and whether everything was rebuilt."""
        for movie in self.ledger.read():
            self.changed[movie.number] = movie
        _write_not_taken(task)
        if not self._needs_rebuild(task) and self._publish_changes(task):
            return (), False
        settings = StageSettings.read(Path(task.folder) / "settings.json")
        cpu = time.process_time()
        anew = None if self.first or task.fresh else frozenset(m.name for m in self.changed.values())
        self.situation = _situation(task)
        problems, self.lists = rebuild_all(task, self.ledger, settings, anew)
        self.first, self.rebuilt = False, len(self.ledger.movies)
        self.changed.clear()
        self.not_before_s = time.monotonic() + REBUILD_SHARE * (time.process_time() - cpu)
        return problems, True

    def _needs_rebuild(self, task: PublishTask) -> bool:
        if self.lists is None or task.fresh or task.complete or self.situation != _situation(task):
            return True
        grown = len(self.ledger.movies) - self.rebuilt
        due = grown >= max(LEAST_GROWTH, GROWTH * self.rebuilt)
        return due and time.monotonic() >= self.not_before_s

    def _publish_changes(self, task: PublishTask) -> bool:
        """Change the lists by rows; False if that cannot be done, for whatever reason."""
        lists, self.lists = self.lists, None  # what an error leaves behind is not relied on
        if lists is None:
            return False
        movies = [self.changed[number] for number in sorted(self.changed)]
        try:
            publish_changes(task, lists, movies)
        except (CannotSplice, SetAside, JobFailed, NothingToDo, StarError, OSError, ValueError, LookupError):
            return False
        self.lists = lists
        self.changed.clear()
        return True


_known: dict[str, _Publisher] = {}


def publish(task: PublishTask | SanityTask, _device: str) -> Published | Checked:
    """What the publishing process does: mostly bring the lists up to date."""
    if isinstance(task, SanityTask):
        return _check(task)
    begin, cpu = time.monotonic(), time.process_time()
    if os.nice(0) < NICE:
        os.nice(NICE)
    publisher = _known.setdefault(task.folder, _Publisher(task.folder))
    problems, complete = publisher.publish(task)
    lists = publisher.lists
    return Published(
        time.monotonic() - begin,
        problems,
        lists.accepted if lists is not None else 0,
        time.process_time() - cpu,
        lists.size_bytes if lists is not None else 0,
        complete,
    )


def _situation(task: PublishTask) -> str:
    """What every row depends on: settings of all versions, limits and verdicts."""
    files = ("settings.json", "manual.star", UNLIKE_FILE)
    stamps = [file_stamp(Path(task.folder) / name) for name in files]
    return json.dumps([task.options, stamps], sort_keys=True)


def _write_not_taken(task: PublishTask) -> None:
    """Files that are no movies (yet), in the Import job's list of what was set aside."""
    aside = SetAsideList(Path(task.jobs[IMPORT]), {})
    for name, path, reason in task.not_taken:
        aside.add(name, Path(path), reason)
    aside.write()


def _check(task: SanityTask) -> Checked:
    """Findings about the first movies; all of them are kept in findings.json."""
    from verglas.scheduler.live.record.sanity import Stated, check_inputs

    folder = Path(task.folder)
    facts = {key: fact["value"] for key, fact in read_json(folder / "facts.json").items()}
    found = check_inputs([Path(path) for path in task.movies], Stated.of(facts))
    rows = [asdict(each) for each in found]
    write_text(folder / "findings.json", json.dumps({"findings": rows}, indent=1))
    return Checked(tuple(f"{each.about}: {each.text}" for each in found if not each.good))
