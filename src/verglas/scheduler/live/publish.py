"""Rebuilding the output lists of the chain's jobs, in a process of its own, at intervals.

The jobs do it themselves (`gather`), from the files of the movies that are done, so the lists are those
of the scheduled way. The process follows the journal by its own offset and keeps what it knows.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.star import StarError, read_star
from verglas.jobs.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.live_lists import write_movies_list, write_settings_record
from verglas.jobs.micrograph_job import Item, MicrographJob
from verglas.jobs.program import Arguments
from verglas.jobs.registry import job_class
from verglas.jobs.set_aside import SetAsideList
from verglas.scheduler.live.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.order import STAGES, read_json
from verglas.scheduler.live.settings import StageSettings

NICE = 5


@dataclass(frozen=True)
class PublishTask:
    """What to rebuild: all lists that can be, in order."""

    folder: str  # the session's own
    jobs: dict[str, str]
    options: dict[str, dict[str, str]]  # of every job of the chain
    optics: tuple[dict[str, str], ...]  # rows of the optics table
    not_taken: tuple[tuple[str, str, str], ...] = ()  # (name, path, reason)
    fresh: bool = False  # read every row anew


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


class _Publisher:
    """What the process keeps between calls."""

    def __init__(self, folder: str) -> None:
        self.ledger = Ledger(Path(folder) / "movies.jsonl")
        self.changed: dict[str, set[str]] = {stage: set() for stage in STAGES}
        self.first = True


_known: dict[str, _Publisher] = {}


def publish(task: PublishTask | SanityTask, device: str) -> Published | Checked:
    """What the publishing process does: mostly rebuild the lists."""
    if isinstance(task, SanityTask):
        return _check(task)
    begin, cpu = time.monotonic(), time.process_time()
    if os.nice(0) < NICE:
        os.nice(NICE)
    publisher = _known.setdefault(task.folder, _Publisher(task.folder))
    for movie in publisher.ledger.read():
        for stage in STAGES:
            publisher.changed[stage].add(movie.name)
    movies = publisher.ledger.movies
    problems: list[str] = []
    _try(problems, "Import", lambda: _publish_import(task, movies))
    for stage in STAGES[:3]:
        _try(problems, stage, _stage_step(task, publisher, stage))
    _try(problems, "Select", lambda: _publish_select(task))
    _try(problems, "Extract", _stage_step(task, publisher, "Extract"))
    _write_settings(task, movies)
    publisher.first = False
    seconds, cpu_s = time.monotonic() - begin, time.process_time() - cpu
    return Published(seconds, tuple(problems), _accepted(task), cpu_s)


def _check(task: SanityTask) -> Checked:
    """Findings about the first movies; all of them are kept in findings.json."""
    from verglas.jobs.live_sanity import Stated, check_inputs

    folder = Path(task.folder)
    facts = {key: fact["value"] for key, fact in read_json(folder / "facts.json").items()}
    found = check_inputs([Path(path) for path in task.movies], Stated.of(facts))
    rows = [asdict(each) for each in found]
    write_text(folder / "findings.json", json.dumps({"findings": rows}, indent=1))
    return Checked(tuple(f"{each.about}: {each.text}" for each in found if not each.good))


def _stage_step(task: PublishTask, publisher: _Publisher, stage: str) -> Callable[[], None]:
    return lambda: _publish_stage(task, publisher, stage)


def _try(problems: list[str], title: str, step: Callable[[], None]) -> None:
    """One list; what has no input yet is no problem."""
    try:
        step()
    except NothingToDo:
        return
    except (
        JobFailed, StarError, OSError, ValueError, LookupError, ArithmeticError, RuntimeError,
    ) as error:  # fmt: skip
        problems.append(f"{title}: {type(error).__name__}: {error}")


def _publish_import(task: PublishTask, movies: Sequence[Movie]) -> None:
    directory = Path(task.jobs["Import"])
    aside = SetAsideList(directory, {})
    for name, path, reason in task.not_taken:
        aside.add(name, Path(path), reason)
    aside.write()
    if not movies:
        raise NothingToDo("no movie yet")
    names, groups = [movie.name for movie in movies], [movie.group for movie in movies]
    write_movies_list(directory / "movies.star", task.optics, names, groups)


def _publish_stage(task: PublishTask, publisher: _Publisher, stage: str) -> None:
    job = _job(task, stage)
    index = INDEX[stage]
    by_name = _names_at(stage, publisher.ledger)
    items: list[Item] = []
    aside = SetAsideList(Path(task.jobs[stage]), {})
    for item in job.items():
        movie = by_name(item)
        if movie is None:
            continue
        if movie.is_aside and movie.aside_stage == stage:
            aside.add(item.name, item.source, movie.aside)
        elif movie.made[index] and job.is_done(item):
            items.append(item)
    changed = publisher.changed[stage]
    everything = publisher.first or task.fresh
    job.processed = frozenset(
        item.name for item in items
        if everything or ((movie := by_name(item)) is not None and movie.name in changed)
    )  # fmt: skip
    aside.write()
    if items:
        job.gather(items)
    changed.clear()


def _names_at(stage: str, ledger: Ledger) -> Callable[[Item], Movie | None]:
    """From an item of a stage to its movie."""
    if stage == "MotionCorr":
        return lambda item: ledger.by_name.get(item.name)
    by_micrograph = {movie.micrograph: movie for movie in ledger.movies if movie.micrograph}
    return lambda item: by_micrograph.get(item.name)


def _publish_select(task: PublishTask) -> None:
    kind = job_class("Select")
    options, _ = kind.Options.parse(task.options["Select"])
    words = kind.command_line(options, task.jobs["Select"], False)
    kind(kind.program.parse(words), _context(task, "Select")).run()


def _job(task: PublishTask, stage: str) -> MicrographJob:
    kind = job_class(stage)
    options, _ = kind.Options.parse(task.options[stage])
    words = kind.command_line(options, task.jobs[stage], True)
    arguments: Arguments = kind.program.parse(words)
    job = kind(arguments, _context(task, stage))
    if not isinstance(job, MicrographJob):
        raise TypeError(f"{stage} does not work movie by movie")
    return job


def _context(task: PublishTask, folder: str) -> RunContext:
    return RunContext(Path(task.jobs[folder]), say=_quiet, warn=_quiet)


def _write_settings(task: PublishTask, movies: Sequence[Movie]) -> None:
    """Which settings made which micrograph, once there is more than one version of a stage."""
    settings = StageSettings.read(Path(task.folder) / "settings.json")
    for stage in STAGES:
        versions = settings.versions[stage]
        if len(versions) < 2:
            continue
        index = INDEX[stage]
        done = [movie for movie in movies if movie.made[index]]
        changes = [
            (number, key, value)
            for number, version in enumerate(versions, 1)
            for key, value in (version.changed or {"(first)": "job.star"}).items()
        ]
        write_settings_record(
            Path(task.jobs[stage]) / "verglas_settings.star", changes,
            [movie.name for movie in done], [abs(movie.made[index]) for movie in done],
        )  # fmt: skip


def _accepted(task: PublishTask) -> int:
    path = Path(task.jobs["Select"]) / "micrographs.star"
    try:
        table = read_star(path).get("micrographs")
    except (OSError, StarError):
        return 0
    return len(table) if table is not None else 0


def _quiet(text: str) -> None:
    """Warnings about single micrographs stand in the set-aside lists."""
