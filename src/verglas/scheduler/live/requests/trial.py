"""`verglas live try`: micrographs with trial settings, beside the present result; changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.autopick.results import picks_path
from verglas.jobs.chain import CTF, EXTRACTION, MOTION, PICKING, STAGES
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.contract.tables import output_root
from verglas.jobs.select.figures import KINDS, row_of
from verglas.project.project import Project
from verglas.scheduler.live.record.chain import checked_options
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.record.lists import movie_alone
from verglas.scheduler.live.record.order import LiveFolder, read_json
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.requests.verdicts import find_movies
from verglas.scheduler.live.session.stage_work import StageDone, StageTask, run_stage, work

Changes = Mapping[str, Mapping[str, str]]  # stage -> option -> text


@dataclass(frozen=True)
class Trial:
    """One movie as it is now and on trial. Paths are relative to the project."""

    number: int
    name: str
    now: dict[str, float]  # figures by key
    trial: dict[str, float]  # those of the stages that were done again
    now_files: dict[str, str]
    trial_files: dict[str, str] = field(default_factory=dict)  # micrograph, spectrum, picks
    aside: str = ""  # why the trial would set it aside

    @property
    def lines(self) -> list[str]:
        """Figures now and on trial, in words."""
        if self.aside:
            return [f"{self.name} would be set aside: {self.aside}"]
        lines = [f"{self.name}: now and on trial ({Path(self.trial_files['picks']).parent})"]
        for kind in KINDS:
            if kind.key not in self.trial:
                continue
            old = f"{self.now[kind.key]:.5g}" if kind.key in self.now else "-"
            lines.append(f"  {kind.title:<22} {old:>12} {self.trial[kind.key]:>12.5g} {kind.unit}")
        return lines


def try_movies(
    project: Project, folder: LiveFolder, which: Sequence[str], changed: Changes, device: str = "cpu"
) -> list[Trial]:
    """Process movies from the first changed stage on, each beside what it has.

    A trial's files lie in `.verglas/live/NAME/try/NUMBER/` until that movie's next trial.
    Raises ValueError, LookupError.
    """
    unknown = [stage for stage in changed if stage not in STAGES]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: expected options of {', '.join(STAGES)}")
    return [
        _try_one(project, folder, movie, changed, device) for movie in find_movies(Ledger.of(folder), which)
    ]


def read_trial(folder: LiveFolder, number: int) -> Trial | None:
    """A movie's last trial; None if there was none."""
    known = read_json(_trial_folder(folder, number) / "trial.json")
    return Trial(**known) if known else None


def files_of(movie_name: str, directories: Mapping[str, str | Path], micrograph: str = "") -> dict[str, str]:
    """Where the results of a movie lie, given the directories of the stages."""
    root = output_root(movie_name, directories[MOTION], without_dots=True)
    micrograph = micrograph or f"{root}.mrc"
    spectrum = f"{output_root(micrograph, directories['CtfFind'])}.ctf"
    picks = str(picks_path(micrograph, directories[PICKING]))
    return {"micrograph": micrograph, "spectrum": spectrum, "picks": picks}


def _try_one(project: Project, folder: LiveFolder, movie: Movie, changed: Changes, device: str) -> Trial:
    trial = _trial_folder(folder, movie.number)
    shutil.rmtree(trial, ignore_errors=True)
    jobs = folder.order().jobs
    first = min((INDEX[stage] for stage in changed), default=0)
    where = trial.relative_to(project.root)
    directories = {
        stage: where / stage / "job000" if INDEX[stage] >= first else Path(jobs[stage]) for stage in STAGES
    }
    now_files = files_of(movie.name, jobs)
    try:
        figures, micrograph = _run(folder, movie, changed, first, directories, device)
        files = files_of(movie.name, directories, micrograph)
        made = Trial(movie.number, movie.name, movie.figures, figures, now_files, files)
    except SetAside as reason:
        made = Trial(movie.number, movie.name, movie.figures, {}, now_files, aside=str(reason))
    trial.mkdir(parents=True, exist_ok=True)
    write_text(trial / "trial.json", json.dumps(asdict(made)), durable=False)
    return made


def _trial_folder(folder: LiveFolder, number: int) -> Path:
    return folder.path / "try" / str(number)


def _run(
    folder: LiveFolder,
    movie: Movie,
    changed: Changes,
    first: int,
    directories: Mapping[str, Path],
    device: str,
) -> tuple[dict[str, float], str]:
    """Figures of the stages that were done again, and the name of the micrograph they are of."""
    settings = StageSettings.read(folder.settings_file)
    jobs = folder.order().jobs
    optics = BeamShiftGroups.read(folder.path / "groups.json").optics
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
        if stage == EXTRACTION:
            texts["coords_suffix"] = f"{directories[PICKING]}/coords_suffix_autopick.star"
            task = StageTask(movie.number, stage, jobs[stage], texts, -version, listed[source], False)
        checked_options(stage, texts)
        found, listed[stage] = run_stage(task, device, directories[stage])
        figures |= found
    return figures, row_of(listed[CTF])["rlnMicrographName"]
