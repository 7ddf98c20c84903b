"""`verglas live try`: one micrograph with trial settings, beside the present result; changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from verglas.jobs.live_figures import KINDS
from verglas.jobs.live_lists import movie_alone
from verglas.jobs.set_aside import SetAside
from verglas.project.project import Project
from verglas.scheduler.live.chain import checked_options
from verglas.scheduler.live.change import find_movies, known_movies
from verglas.scheduler.live.grouping import BeamShiftGroups
from verglas.scheduler.live.ledger import INDEX, Movie
from verglas.scheduler.live.order import STAGES, LiveFolder
from verglas.scheduler.live.settings import StageSettings
from verglas.scheduler.live.work import StageDone, StageTask, run_stage, work


def try_one(
    project: Project,
    folder: LiveFolder,
    which: str,
    changed: Mapping[str, Mapping[str, str]],
    device: str = "cpu",
) -> list[str]:
    """Process one movie from the first changed stage on; figures now and on trial, in words.

    The trial's files lie in `.verglas/live/NAME/try/` until the next trial. Raises ValueError, LookupError.
    """
    unknown = [stage for stage in changed if stage not in STAGES]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: expected options of {', '.join(STAGES)}")
    movie = find_movies(known_movies(folder), [which])[0]
    trial = folder.path / "try"
    shutil.rmtree(trial, ignore_errors=True)
    try:
        figures = _run(folder, movie, changed, trial.relative_to(project.root), device)
    except SetAside as reason:
        return [f"{movie.name} would be set aside: {reason}"]
    return [f"{movie.name}: now and on trial ({trial})", *_compared(movie.figures, figures)]


def _run(
    folder: LiveFolder,
    movie: Movie,
    changed: Mapping[str, Mapping[str, str]],
    trial: Path,
    device: str,
) -> dict[str, float]:
    settings = StageSettings.read(folder.path / "settings.json")
    jobs = folder.order().jobs
    optics = BeamShiftGroups.read(folder.path / "groups.json").optics
    first = min((INDEX[stage] for stage in changed), default=0)
    listed = {"": movie_alone(optics, movie.name, movie.group)}
    figures: dict[str, float] = {}
    for index, stage in enumerate(STAGES):
        version = abs(movie.made[index]) or settings.latest(stage)
        texts = {**settings.options(stage, version), **changed.get(stage, {})}
        source = STAGES[min(index, 2) - 1] if index else ""
        task = StageTask(movie.number, stage, jobs[stage], texts, version, listed[source], False)
        if index < first:
            done = work(task, device)  # finished: only its list is made
            if not isinstance(done, StageDone):
                raise SetAside(getattr(done, "reason", "it could not be read"))
            listed[stage] = done.listed
            continue
        if stage == "Extract":
            texts["coords_suffix"] = _coordinates(trial, jobs["AutoPick"], first)
            task = StageTask(
                movie.number, stage, jobs[stage], texts, -version, listed[source], False
            )
        checked_options(stage, texts)
        found, listed[stage] = run_stage(task, device, trial / stage / "job000")
        figures |= found
    return figures


def _coordinates(trial: Path, job: str, first: int) -> str:
    """The trial's picks, or those there are if picking is not on trial."""
    folder = str(trial / "AutoPick" / "job000") + "/" if first <= INDEX["AutoPick"] else job
    return f"{folder}coords_suffix_autopick.star"


def _compared(now: Mapping[str, float], trial: Mapping[str, float]) -> list[str]:
    lines = []
    for kind in KINDS:
        if kind.key not in trial:
            continue
        old = f"{now[kind.key]:.5g}" if kind.key in now else "-"
        lines.append(f"  {kind.title:<22} {old:>12} {trial[kind.key]:>12.5g} {kind.unit}")
    return lines
