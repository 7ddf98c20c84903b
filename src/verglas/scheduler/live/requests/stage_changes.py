"""Options of the stages changed while a session runs: only what depends on them is done again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from verglas.jobs.chain import PICKING, STAGES
from verglas.jobs.select.thresholds import read_manual
from verglas.project.change import Change
from verglas.project.editing import enter_edited, with_values
from verglas.project.project import Project
from verglas.project.registration import check_options, load_job
from verglas.scheduler.live.record.chain import checked_options
from verglas.scheduler.live.record.edited_picks import edited_among, lay_aside, named, refuse_misfits
from verglas.scheduler.live.record.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder, read_json
from verglas.scheduler.live.record.stage_settings import ALL, NEW, StageSettings

_SIZES = ("bin_factor", "eer_upsampling", "extract_size", "do_rescale", "rescale")
_JOINTS = ("input_star_mics", "fn_input_autopick", "star_mics", "coords_suffix")


def change_settings(
    project: Project,
    folder: LiveFolder,
    values: Mapping[str, Mapping[str, str]],
    scope: str,
    *,
    edited_aside: bool = False,
) -> list[str]:
    """New options for new movies, all, or a range; what was done, in words.

    Picks that somebody edited are kept. Where they would not fit any more, because the micrographs change
    their size, `edited_aside` lays them aside; else that is refused with their names. Raises ValueError
    for this, for inputs and for jobs that are not stages, KeyError for unknown options.
    """
    with project.change("options of a live session") as change:
        return enter_settings(project, change, folder, values, scope, edited_aside=edited_aside)


def enter_settings(
    project: Project,
    change: Change,
    folder: LiveFolder,
    values: Mapping[str, Mapping[str, str]],
    scope: str,
    *,
    edited_aside: bool = False,
) -> list[str]:
    """`change_settings`, as a part of a change that does more."""
    jobs = folder.order().jobs
    path = folder.settings_file
    settings = StageSettings.read(path)
    for stage, changed in values.items():
        if stage not in STAGES:
            raise ValueError(f"{stage}: options of {', '.join(STAGES)} can be changed this way")
        _refuse_inputs(stage, changed)
        latest = settings.options(stage, settings.latest(stage))
        checked_options(stage, {**latest, **changed})
        sizes = [key for key in changed if key in _SIZES]
        if sizes and scope != ALL:
            raise ValueError(
                f"{stage}.{sizes[0]} changes the size of images, which must be one for all: --for all"
            )
    misfits = _misfits(folder, values)
    if not edited_aside:
        refuse_misfits(misfits)
    told = lay_aside(change, jobs, misfits)
    for stage in (each for each in STAGES if each in values):
        version = settings.change(stage, dict(values[stage]), scope)
        if scope in (NEW, ALL):  # whoever takes the job over goes on with them
            new = with_values(load_job(project, jobs[stage]), values[stage])
            check_options(new.job, new.options)
            enter_edited(change, new)
        told.append(f"{jobs[stage]}: settings {version} for {scope}: {_shown(values[stage])}")
    change.write(str(path.relative_to(project.root)), settings.as_bytes())
    return [*told, *_consequences(folder, settings, list(values))]


def _misfits(folder: LiveFolder, values: Mapping[str, Mapping[str, str]]) -> list[Movie]:
    """Movies with edited picks that do not fit micrographs of another size."""
    if not any(key in _SIZES for key in values.get(STAGES[0], {})):
        return []
    return edited_among(folder.root, folder.order().jobs, Ledger.of(folder).movies)


def _refuse_inputs(stage: str, changed: Iterable[str]) -> None:
    for key in changed:
        if key in _JOINTS:
            raise ValueError(f"{stage}.{key} joins the jobs of the session and cannot be changed")


def _consequences(folder: LiveFolder, settings: StageSettings, stages: Sequence[str]) -> list[str]:
    """How many movies are treated again from which stage, and what a person made that is kept."""
    first = min(INDEX[stage] for stage in stages)
    again = _treated_again(Ledger.of(folder).movies, settings, STAGES[first])
    told = [f"{len(again)} movies are treated again from {STAGES[first]} on"]
    edited = _edited(folder, again, STAGES[first])
    if edited:
        told.append(f"picks edited by hand are kept: {named(edited)}")
    verdicts = read_manual(folder.manual_file)
    if verdicts and again:
        told.append(f"{len(verdicts)} verdicts of a person are kept")
    return told


def _treated_again(movies: Iterable[Movie], settings: StageSettings, stage: str) -> list[Movie]:
    """Movies whose result of a stage comes from other settings than they need."""
    index = INDEX[stage]
    return [
        movie
        for movie in movies
        if movie.made[index]
        and settings.wanted(stage, movie.number, abs(movie.made[index])) != abs(movie.made[index])
    ]


def _edited(folder: LiveFolder, again: Iterable[Movie], stage: str) -> list[Movie]:
    """Movies treated again from a stage on that would be picked again had nobody edited their picks."""
    if INDEX[stage] > INDEX[PICKING]:
        return []
    return edited_among(folder.root, folder.order().jobs, again)


@dataclass(frozen=True)
class Cost:
    """What a change of settings would take. Times in seconds of one worker and of the session."""

    movies: int  # treated again
    stage: str  # from which on
    seconds_each: float  # of one movie, from that stage to the last
    workers: int
    verdicts: int  # of a person, which are kept
    edited: tuple[str, ...]  # micrographs whose picks a person edited, which are kept

    @property
    def session_s(self) -> float:
        return self.movies * self.seconds_each / max(1, self.workers)


def preview_settings(folder: LiveFolder, values: Mapping[str, Mapping[str, str]], scope: str) -> Cost:
    """What `change_settings` would cost; nothing is written. Raises ValueError, KeyError."""
    settings = StageSettings.read(folder.settings_file)
    for stage, changed in values.items():
        if stage not in STAGES:
            raise ValueError(f"{stage}: options of {', '.join(STAGES)} can be changed this way")
        _refuse_inputs(stage, changed)
        settings.change(stage, dict(changed), scope)
    refuse_misfits(_misfits(folder, values))
    first = min((INDEX[stage] for stage in values), default=len(STAGES) - 1)
    again = _treated_again(Ledger.of(folder).movies, settings, STAGES[first])
    status = read_json(folder.status_file)
    means = {each["name"]: float(each["mean_s"]) for each in status.get("stages", [])}
    order = folder.order()
    return Cost(
        len(again),
        STAGES[first],
        sum(means.get(stage, 0.0) for stage in STAGES[first:]),
        order.workers * len(order.all_devices),
        len(read_manual(folder.manual_file)),
        tuple(movie.micrograph for movie in _edited(folder, again, STAGES[first])),
    )


def _shown(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())
