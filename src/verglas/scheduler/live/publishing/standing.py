"""The lists of a session as they stand on disc, and what both ways of writing them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from verglas.formats.star.splicing import SplicedList
from verglas.jobs.chain import STAGES
from verglas.jobs.contract.base import RunContext
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.stage_jobs import on_list, quiet, stage_arguments
from verglas.scheduler.live.record.stage_settings import StageSettings

FAILED_AT = 10**9  # keys of failures in the selection's list of what is set aside: stage by stage
SETTINGS_RECORD = "verglas_settings.star"


class Chain(Protocol):
    """What is known about the jobs of the chain (a PublishTask)."""

    @property
    def folder(self) -> str: ...
    @property
    def jobs(self) -> Mapping[str, str]: ...
    @property
    def options(self) -> Mapping[str, dict[str, str]]: ...
    @property
    def optics(self) -> Sequence[Mapping[str, str]]: ...


@dataclass
class Lists:
    """Every list by its path; keys of rows are movie numbers."""

    by_path: dict[str, SplicedList] = field(default_factory=dict)
    select: str = ""  # path of the accepted micrographs

    def add(self, path: Path, keys: Sequence[int], counts: Sequence[int] = ()) -> None:
        """Learn where the rows of a file are. Raises CannotSplice."""
        found = SplicedList.of_file(path, keys, counts or [1] * len(keys))
        self.by_path[str(path)] = found

    def of(self, directory: str) -> list[SplicedList]:
        """Lists of one job."""
        return [each for each in self.by_path.values() if str(each.path.parent) == str(Path(directory))]

    @property
    def accepted(self) -> int:
        known = self.by_path.get(self.select)
        return len(known.keys) if known is not None else 0

    @property
    def size_bytes(self) -> int:
        return sum(each.size_bytes for each in self.by_path.values())


def stage_job(chain: Chain, stage: str, listed: str = "") -> MicrographJob[Any]:
    """The job of a stage, on its own list or on another one."""
    kind, arguments = stage_arguments(stage, chain.options[stage], chain.jobs[stage])
    return kind(on_list(arguments, listed) if listed else arguments, context(chain, stage))


def context(chain: Chain, folder: str) -> RunContext:
    return RunContext(Path(chain.jobs[folder]), say=quiet, warn=quiet)


def has_result(movie: Movie, stage: str, job: MicrographJob[Any], item: Item) -> bool:
    """Whether the stage's list has a row of this movie."""
    failed = movie.is_aside and movie.aside_stage == stage
    return not failed and bool(movie.made[INDEX[stage]]) and job.is_done(item)


def settings_rows(settings: StageSettings, stage: str) -> list[tuple[int, str, str]]:
    """All versions of a stage's options: version, option, value; none while there is only one."""
    versions = settings.versions[stage]
    if len(versions) < 2:
        return []
    return [
        (number, key, value)
        for number, version in enumerate(versions, 1)
        for key, value in (version.changed or {"(first)": "job.star"}).items()
    ]


def failure_key(movie: Movie) -> int:
    """Where a movie that could not be processed stands in the selection's list."""
    return FAILED_AT * (1 + STAGES.index(movie.aside_stage)) + movie.number
