"""What a worker process does with one movie in one stage: the job itself, on a list of one row.

The worker lives long: torch is imported once, and gains and templates are read once. The list of one row
has the bytes that the job's own list would have for this movie, so results do not depend on who ran the
stage.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from verglas.formats.atomic import is_output_failure
from verglas.jobs.chain import CTF, MOTION, PICKING
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.jobs.contract.program import Arguments
from verglas.jobs.contract.set_aside import ITEM_FAULTS, SetAside
from verglas.jobs.contract.unwritable import Unwritable
from verglas.scheduler.live.record.stage_jobs import on_list, quiet, scratch_list, stage_arguments

NUMERICS = (
    "verglas.motion.correction",
    "verglas.ctf",
    "verglas.picking.log_picker",
    "verglas.particles.extraction",
)
_FAULTS = ("cuda", "cudnn", "cublas", "cufft", "device-side", "out of memory", "nccl")


@dataclass(frozen=True)
class StageTask:
    """One movie to be treated by one stage."""

    number: int
    stage: str  # "MotionCorr"
    directory: str  # "MotionCorr/job002/"
    options: dict[str, str]
    version: int  # of the options
    listed: bytes  # the input list of this one movie
    again: bool  # make it anew although files are there
    workers: int = 1  # that share the memory
    memory_bytes: int = 0
    by_hand: bool = False  # somebody edited the result: it is taken as it is


@dataclass(frozen=True)
class StageDone:
    """The stage's files are there."""

    seconds: float
    figures: dict[str, float]
    listed: bytes  # input list of the next stage
    micrograph: str
    kept: bool = False  # the files were there before
    picks: str = ""  # fingerprint of the picks, if the picker wrote them


@dataclass(frozen=True)
class StageAside:
    """This movie cannot be treated; the reason in words."""

    reason: str


@dataclass(frozen=True)
class DeviceFault:
    """The device failed, not the movie."""

    reason: str


@dataclass(frozen=True)
class WarmUp:
    """Import what the stages need while there is no movie yet."""

    number: int = 0
    stage: str = ""


Outcome = StageDone | StageAside | DeviceFault | Unwritable


@dataclass(frozen=True)
class _Prepared:
    """What the jobs of many movies share."""

    kind: type[MicrographJob[Any]]
    context: RunContext
    parsed: Arguments
    options: dict[str, str]


_prepared: dict[tuple[str, str, int], _Prepared] = {}


def work(task: StageTask | WarmUp, device: str) -> Outcome | WarmUp:
    """The worker's boundary: every way it can go becomes an outcome."""
    if isinstance(task, WarmUp):
        for name in NUMERICS:
            import_module(name)
        return task
    begin = time.monotonic()
    try:
        with scratch_list(task.listed) as path:
            job, item = _job_and_item(task, path)
            kept = job.is_done(item) and (task.by_hand or not task.again)
            if not kept:
                job.process(item, device)
            listed = _bytes_of(job, item) or task.listed
        figures, micrograph = figures_of(task.stage, item, listed, task.directory)
        picks = "" if task.by_hand and kept else _fingerprint(task, item)
    except (SetAside, JobFailed, NothingToDo, *ITEM_FAULTS) as error:
        if is_output_failure(error):
            return Unwritable(str(error))
        if isinstance(error, SetAside | JobFailed | NothingToDo):
            return StageAside(str(error))
        text = str(SetAside.of(error))
        if device != "cpu" and any(word in text.lower() for word in _FAULTS):
            return DeviceFault(text)
        return StageAside(text)
    return StageDone(time.monotonic() - begin, figures, listed, micrograph, kept, picks)


def _fingerprint(task: StageTask, item: Item) -> str:
    from verglas.jobs.autopick.results import picks_fingerprint, picks_path

    if task.stage != PICKING:
        return ""
    return picks_fingerprint(picks_path(item.name, task.directory))


def run_stage(task: StageTask, device: str, directory: Path) -> tuple[dict[str, float], bytes]:
    """One movie through one stage into another directory (trials). Raises what the job raises."""
    with scratch_list(task.listed) as path:
        job, item = _job_and_item(task, path, directory)
        job.process(item, device)
        listed = _bytes_of(job, item) or task.listed
        return figures_of(task.stage, item, listed, f"{directory}/")[0], listed


def figures_of(stage: str, item: Item, listed: bytes, directory: str) -> tuple[dict[str, float], str]:
    """What the pages show of a result, by name with unit, and the micrograph's name."""
    from verglas.jobs.select.figures import figures_of_list, figures_of_picks

    if stage in (MOTION, CTF):
        return figures_of_list(listed)
    return figures_of_picks(stage, item.name, directory), item.name


def _job_and_item(
    task: StageTask, path: str, directory: Path | None = None
) -> tuple[MicrographJob[Any], Item]:
    prepared = _prepare(task, directory)
    job = prepared.kind(on_list(prepared.parsed, path), prepared.context)
    if not job.inputs.items:
        raise SetAside("the stage before left nothing for this one")
    return job, job.inputs.items[0]


def _prepare(task: StageTask, directory: Path | None) -> _Prepared:
    where = directory or Path(task.directory)
    key = (task.stage, str(where), task.version)
    known = _prepared.get(key)
    if known is None or known.options != task.options:
        kind, parsed = stage_arguments(task.stage, task.options, f"{where}/")
        context = RunContext(
            where, workers=task.workers, memory_bytes=task.memory_bytes or None, say=quiet, warn=quiet
        )
        where.mkdir(parents=True, exist_ok=True)
        known = _prepared[key] = _Prepared(kind, context, parsed, dict(task.options))
    return known


def _bytes_of(job: MicrographJob[Any], item: Item) -> bytes:
    from verglas.formats.star.writing import format_star

    tables = job.listed(item)
    return format_star(tables) if tables else b""
