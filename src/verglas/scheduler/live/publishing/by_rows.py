"""Lists changed by the rows of some movies: what a new movie costs, however many there are.

The movies go through the chain's lists as through the chain: a small list of them is the input of each job,
and what the job says a finished micrograph contributes (`MicrographJob.alone`) takes the place of the rows
it had before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from verglas.formats.star import StarTable, concatenate, format_star
from verglas.formats.star.neutral import neutral
from verglas.formats.star.reading import parse_star
from verglas.formats.star.splicing import Filler
from verglas.jobs.chain import CTF, EXTRACTION, IMPORT, MOTION, PICKING, SELECTION, STAGES
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.jobs.contract.set_aside import FILE_NAME, SetAsideList
from verglas.jobs.contract.tables import Row, rows_of
from verglas.jobs.select.thresholds import (
    ABSENT,
    FAILURE,
    aside_row,
    aside_table,
    figures_of_rows,
    judge,
    parse_thresholds,
    read_verdicts,
)
from verglas.scheduler.live.publishing.standing import (
    FAILED_AT,
    SETTINGS_RECORD,
    Chain,
    Lists,
    failure_key,
    has_result,
    settings_rows,
    stage_job,
)
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.lists import movies_list, settings_record
from verglas.scheduler.live.record.stage_jobs import scratch_list
from verglas.scheduler.live.record.stage_settings import StageSettings

Tables = Sequence[StarTable]
Fresh = dict[int, Tables]  # by movie number; empty: the movie has no row


def publish_changes(chain: Chain, lists: Lists, movies: Sequence[Movie]) -> None:
    """Give the movies their rows in every list. Raises CannotSplice and what jobs raise."""
    if not movies:
        return
    found = _Changes(chain, lists, movies)
    micrographs = found.stage(MOTION, found.import_movies())
    fitted = found.stage(CTF, micrographs)
    found.stage(PICKING, fitted)
    found.stage(EXTRACTION, found.select())
    found.record_settings()


class _Changes:
    """The changed movies on their way through the lists."""

    def __init__(self, chain: Chain, lists: Lists, movies: Sequence[Movie]) -> None:
        self.chain, self.lists, self.movies = chain, lists, movies
        self.rows: dict[int, list[Row]] = {movie.number: [] for movie in movies}  # with figures
        self.listed: dict[int, Tables] = {}  # input of picking and extraction, one micrograph each

    def import_movies(self) -> Tables:
        optics = self.chain.optics
        fresh: Fresh = {each.number: movies_list(optics, [each.name], [each.group]) for each in self.movies}
        self._splice(IMPORT, "movies.star", fresh)
        names, groups = [each.name for each in self.movies], [each.group for each in self.movies]
        return movies_list(optics, names, groups)

    def stage(self, stage: str, listed: Tables) -> Tables:
        """Change a job's lists; the movies in its output list, as input of the next job."""
        directory = Path(self.chain.jobs[stage])
        fresh: dict[str, Fresh] = {
            each.path.name: {movie.number: () for movie in self.movies}
            for each in self.lists.of(self.chain.jobs[stage])
        }
        fresh.pop(SETTINGS_RECORD, None)
        aside = fresh[FILE_NAME]
        next_lists: list[Tables] = []
        with scratch_list(format_star(listed)) as path:
            job = stage_job(self.chain, stage, path)
            for movie, item in self._items(stage, job, listed):
                if movie.is_aside and movie.aside_stage == stage:
                    aside[movie.number] = [_aside_alone(directory, item, movie.aside)]
                elif has_result(movie, stage, job, item):
                    for name, tables in job.alone(item).items():
                        fresh[name][movie.number] = tables
                    next_lists += self._note(stage, movie, job, item)
        for name, changed in fresh.items():
            self._splice(stage, name, changed, None if job.common_columns else neutral)
        return _joined(next_lists)

    def _items(self, stage: str, job: MicrographJob[Any], listed: Tables) -> Iterator[tuple[Movie, Item]]:
        if not listed:
            return
        key = "name" if stage == MOTION else "micrograph"
        movies = {getattr(movie, key): movie for movie in self.movies}
        for item in job.inputs.items:
            yield movies[item.name], item

    def _note(self, stage: str, movie: Movie, job: MicrographJob[Any], item: Item) -> list[Tables]:
        """Keep the figures that limits look at, and the list that later jobs take."""
        tables = job.listed(item)
        if stage == CTF:
            self.listed[movie.number] = tables
        if stage == PICKING:
            tables = job.alone(item)["summary.star"]
        if tables:
            self.rows[movie.number].append(_as_written(tables))
        return [tables] if tables and stage != PICKING else []

    def select(self) -> Tables:
        """Judge the movies; the list of those that are accepted."""
        options = self.chain.options[SELECTION]
        limits = parse_thresholds(options.get("thresholds", ""))
        manual = read_verdicts(Path(options["fn_manual"])) if options.get("fn_manual") else {}
        accepted: Fresh = {movie.number: () for movie in self.movies}
        aside: Fresh = {key: () for movie in self.movies for key in (movie.number, *_failure_keys(movie))}
        for movie in self.movies:
            if movie.number in self.listed:
                # columns in the order in which the whole selection looks at the lists
                motion, ctf, *picks = self.rows[movie.number]
                figures = figures_of_rows([ctf, motion, *picks])
                kind, reason = judge(movie.micrograph, figures, limits, manual)
                if kind:
                    row = aside_row(movie.micrograph, reason, kind, figures)
                    aside[movie.number] = [aside_table([row])]
                else:
                    accepted[movie.number] = self.listed[movie.number]
            if movie.is_aside and movie.aside_stage in STAGES[:3]:
                name = movie.name if movie.aside_stage == MOTION else movie.micrograph
                aside[failure_key(movie)] = [aside_table([aside_row(name, movie.aside, FAILURE)])]
        self._splice(SELECTION, "micrographs.star", accepted)
        self._splice(SELECTION, FILE_NAME, aside, lambda _: ABSENT)
        return _joined([tables for tables in accepted.values() if tables])

    def record_settings(self) -> None:
        """Which settings made which micrograph."""
        settings = StageSettings.read(Path(self.chain.folder) / "settings.json")
        for stage in STAGES:
            changes = settings_rows(settings, stage)
            if not changes:
                continue
            fresh: Fresh = {}
            for movie in self.movies:
                version = abs(movie.made[INDEX[stage]])
                alone = settings_record(changes, [movie.name], [version])
                fresh[movie.number] = alone if version else ()
            self._splice(stage, SETTINGS_RECORD, fresh)

    def _splice(self, folder: str, name: str, fresh: Fresh, missing: Filler | None = neutral) -> None:
        path = str(Path(self.chain.jobs[folder]) / name)
        self.lists.by_path[path].splice(fresh, missing=missing)


def _aside_alone(directory: Path, item: Item, reason: str) -> StarTable:
    alone = SetAsideList(directory, {})
    alone.add(item.name, item.source, reason)
    return alone.table


def _as_written(tables: Tables) -> Row:
    """The one row of a list with the digits it has in a file: what limits are compared with."""
    parsed, _ = parse_star(format_star(tables), "the list of one micrograph")
    return rows_of(parsed[tables[-1].name])[0]


def _failure_keys(movie: Movie) -> list[int]:
    """All places where a failure of the movie may stand."""
    return [FAILED_AT * stage + movie.number for stage in range(1, len(STAGES))]


def _joined(lists: Sequence[Tables]) -> Tables:
    """One list of several micrographs; () if there are none."""
    if not lists:
        return ()
    labels = list(dict.fromkeys(label for tables in lists for label in tables[-1].labels))
    return [*lists[-1][:-1], concatenate([_filled(tables[-1], labels) for tables in lists])]


def _filled(table: StarTable, labels: Sequence[str]) -> StarTable:
    lacking: Mapping[str, Any] = {
        label: [neutral(label)] * len(table) for label in labels if label not in table
    }
    return table.with_columns(lacking).select(labels)
