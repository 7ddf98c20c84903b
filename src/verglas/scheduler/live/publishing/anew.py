"""All lists of a session anew, by the jobs themselves (`gather`), as the scheduled way has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from verglas.formats.star import StarError, read_star
from verglas.formats.star.splicing import CannotSplice
from verglas.jobs.chain import EXTRACTION, IMPORT, MOTION, SELECTION, STAGES
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.micrograph_job import Item
from verglas.jobs.contract.set_aside import FILE_NAME, NAME, SetAsideList
from verglas.jobs.registry import job_class
from verglas.jobs.select.thresholds import FAILURE, KIND
from verglas.scheduler.live.publishing.standing import (
    SETTINGS_RECORD,
    Chain,
    Lists,
    context,
    failure_key,
    has_result,
    settings_rows,
    stage_job,
)
from verglas.scheduler.live.record.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.record.lists import write_movies_list, write_settings_record
from verglas.scheduler.live.record.stage_settings import StageSettings


def rebuild_all(
    chain: Chain, ledger: Ledger, settings: StageSettings, anew: frozenset[str] | None
) -> tuple[tuple[str, ...], Lists | None]:
    """Rebuild every list that can be; what could not, in words, and where rows are now.

    `anew` are the movies whose rows changed; None: read every row from the movies' own files. The places
    are None if there was a problem, or if a list is not in the order of the movies.
    """
    problems: list[str] = []
    steps = _Steps(chain, ledger, anew)
    _try(problems, IMPORT, steps.import_movies)
    for stage in STAGES[:3]:
        _try(problems, stage, _stage_step(steps, stage))
    _try(problems, SELECTION, steps.select)
    _try(problems, EXTRACTION, _stage_step(steps, EXTRACTION))
    steps.write_settings(settings)
    if problems:
        return tuple(problems), None
    try:
        return (), steps.lists()
    except (CannotSplice, StarError, OSError, LookupError):
        return (), None


def _stage_step(steps: _Steps, stage: str) -> Callable[[], None]:
    return lambda: steps.stage(stage)


def _try(problems: list[str], title: str, step: Callable[[], None]) -> None:
    """One list; what has no input yet is no problem."""
    try:
        step()
    except NothingToDo:
        return
    except (JobFailed, StarError, OSError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        problems.append(f"{title}: {type(error).__name__}: {error}")


class _Steps:
    """One list after the other, and whose rows each of them got."""

    def __init__(self, chain: Chain, ledger: Ledger, anew: frozenset[str] | None) -> None:
        self.chain, self.ledger, self.anew = chain, ledger, anew
        self.by_micrograph = {each.micrograph: each for each in ledger.movies if each.micrograph}
        self.made: dict[str, tuple[Sequence[str], list[Movie]]] = {}  # job -> its files, whose rows
        self.aside: dict[str, list[Movie]] = {}
        self.recorded: dict[str, list[Movie]] = {}

    def import_movies(self) -> None:
        movies = self.ledger.movies
        if not movies:
            raise NothingToDo("no movie yet")
        names, groups = [movie.name for movie in movies], [movie.group for movie in movies]
        directory = self.chain.jobs[IMPORT]
        write_movies_list(Path(directory) / "movies.star", self.chain.optics, names, groups)
        self.made[directory] = ("movies.star",), list(movies)

    def stage(self, stage: str) -> None:
        job, directory = stage_job(self.chain, stage), self.chain.jobs[stage]
        items: list[Item] = []
        done: list[Movie] = []
        aside = SetAsideList(Path(directory), {})
        self.aside[directory] = []
        for item in job.inputs.items:
            movie = self._movie(stage, item)
            if movie is not None and movie.is_aside and movie.aside_stage == stage:
                aside.add(item.name, item.source, movie.aside)
                self.aside[directory].append(movie)
            elif movie is not None and has_result(movie, stage, job, item):
                items.append(item)
                done.append(movie)
        anew = frozenset(
            item.name for item, movie in zip(items, done) if self.anew is None or movie.name in self.anew
        )
        aside.write()
        if items:
            job.gather(items, anew)
            self.made[directory] = tuple(job.alone(items[-1]) or job.alone(items[0])), done

    def select(self) -> None:
        kind = job_class(SELECTION)
        options, _ = kind.Options.parse(self.chain.options[SELECTION])
        words = kind.command_line(options, self.chain.jobs[SELECTION], False)
        kind(kind.program.parse(words), context(self.chain, SELECTION)).run()

    def write_settings(self, settings: StageSettings) -> None:
        """Which settings made which micrograph, once there is more than one version of a stage."""
        for stage in STAGES:
            changes = settings_rows(settings, stage)
            if not changes:
                continue
            index = INDEX[stage]
            done = [movie for movie in self.ledger.movies if movie.made[index]]
            path = Path(self.chain.jobs[stage]) / SETTINGS_RECORD
            versions = [abs(movie.made[index]) for movie in done]
            write_settings_record(path, changes, [movie.name for movie in done], versions)
            self.recorded[stage] = done

    def lists(self) -> Lists:
        """Where the rows of every movie are now. Raises CannotSplice where that is not clear."""
        lists = Lists()
        for folder in (IMPORT, *STAGES):
            directory = self.chain.jobs[folder]
            names, movies = self.made.get(directory, ((), []))
            if not movies:
                raise CannotSplice(f"{directory} lists nothing yet")
            numbers = [movie.number for movie in movies]
            counts = [
                int(movie.figures.get("particles", 0)) if folder == EXTRACTION else 1 for movie in movies
            ]
            for name in names:
                lists.add(Path(directory) / name, numbers, counts)
            if folder != IMPORT:
                aside = [movie.number for movie in self.aside[directory]]
                lists.add(Path(directory) / FILE_NAME, aside)
        for stage, movies in self.recorded.items():
            path = Path(self.chain.jobs[stage]) / SETTINGS_RECORD
            lists.add(path, [movie.number for movie in movies])
        self._add_selection(lists)
        return lists

    def _add_selection(self, lists: Lists) -> None:
        directory = Path(self.chain.jobs[SELECTION])
        accepted = directory / "micrographs.star"
        table = read_star(accepted).get("micrographs")
        names = table.strings("rlnMicrographName") if table is not None else []
        lists.add(accepted, [self.by_micrograph[name].number for name in names])
        lists.select = str(accepted)
        keys = []
        aside = directory / FILE_NAME
        if aside.exists():
            rows = read_star(aside)["set_aside"]
            for name, kind in zip(rows.strings(NAME), rows.strings(KIND)):
                movie = self.ledger.by_name.get(name) or self.by_micrograph[name]
                keys.append(failure_key(movie) if kind == FAILURE else movie.number)
        lists.add(aside, keys)

    def _movie(self, stage: str, item: Item) -> Movie | None:
        names = self.ledger.by_name if stage == MOTION else self.by_micrograph
        return names.get(item.name)
