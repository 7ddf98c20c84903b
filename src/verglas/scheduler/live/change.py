"""Changing a session that runs: options, thresholds, verdicts. Only what depends is done again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.select.figures import KINDS
from verglas.jobs.select.thresholds import (
    ACCEPT,
    REJECT,
    judge,
    parse_thresholds,
    read_manual,
    read_verdicts,
    write_manual,
)
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.scheduler.live.chain import change_options, checked_options
from verglas.scheduler.live.edits import edited_among, lay_aside, named, refuse_misfits
from verglas.scheduler.live.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.order import STAGES, LiveFolder, read_json
from verglas.scheduler.live.settings import ALL, NEW, StageSettings

_SIZES = ("bin_factor", "eer_upsampling", "extract_size", "do_rescale", "rescale")
_JOINTS = ("input_star_mics", "fn_input_autopick", "star_mics", "coords_suffix")


def known_movies(folder: LiveFolder) -> Ledger:
    """All movies as the journal has them now."""
    ledger = Ledger(folder.journal)
    ledger.read()
    return ledger


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
    jobs = folder.order().jobs
    path = folder.path / "settings.json"
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
    told = lay_aside(project.root, jobs, misfits)
    for stage in (each for each in STAGES if each in values):
        version = settings.change(stage, dict(values[stage]), scope)
        if scope in (NEW, ALL):  # whoever takes the job over goes on with them
            change_options(project, jobs[stage], values[stage])
        told.append(f"{jobs[stage]}: settings {version} for {scope}: {_shown(values[stage])}")
    settings.write(path)
    return [*told, *_consequences(folder, settings, list(values))]


def _misfits(folder: LiveFolder, values: Mapping[str, Mapping[str, str]]) -> list[Movie]:
    """Movies with edited picks that do not fit micrographs of another size."""
    if not any(key in _SIZES for key in values.get(STAGES[0], {})):
        return []
    return edited_among(folder.root, folder.order().jobs, known_movies(folder).movies)


def _refuse_inputs(stage: str, changed: Iterable[str]) -> None:
    for key in changed:
        if key in _JOINTS:
            raise ValueError(f"{stage}.{key} joins the jobs of the session and cannot be changed")


def _consequences(folder: LiveFolder, settings: StageSettings, stages: Sequence[str]) -> list[str]:
    """How many movies are treated again from which stage, and what a person made that is kept."""
    first = min(INDEX[stage] for stage in stages)
    again = _treated_again(known_movies(folder).movies, settings, STAGES[first])
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
    if INDEX[stage] > INDEX["AutoPick"]:
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


def preview_settings(
    folder: LiveFolder, values: Mapping[str, Mapping[str, str]], scope: str
) -> Cost:
    """What `change_settings` would cost; nothing is written. Raises ValueError, KeyError."""
    settings = StageSettings.read(folder.path / "settings.json")
    for stage, changed in values.items():
        if stage not in STAGES:
            raise ValueError(f"{stage}: options of {', '.join(STAGES)} can be changed this way")
        _refuse_inputs(stage, changed)
        settings.change(stage, dict(changed), scope)
    refuse_misfits(_misfits(folder, values))
    first = min((INDEX[stage] for stage in values), default=len(STAGES) - 1)
    again = _treated_again(known_movies(folder).movies, settings, STAGES[first])
    status = read_json(folder.status_file)
    means = {each["name"]: float(each["mean_s"]) for each in status.get("stages", [])}
    order = folder.order()
    return Cost(
        len(again), STAGES[first], sum(means.get(stage, 0.0) for stage in STAGES[first:]),
        order.workers * len(order.all_devices), len(read_manual(folder.manual_file)),
        tuple(movie.micrograph for movie in _edited(folder, again, STAGES[first])),
    )  # fmt: skip


def _shown(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def change_thresholds(project: Project, folder: LiveFolder, text: str) -> list[str]:
    """Set the limits; an empty or `none` text takes them away. Raises ValueError."""
    text = "" if text.strip().lower() == "none" else text
    limits = parse_thresholds(text)
    before = _accepted(project, folder)
    change_options(project, folder.order().jobs["Select"], {"thresholds": text})
    after = _accepted(project, folder)
    dropped, back = len(before - after), len(after - before)
    return [f"{len(limits)} limits: {dropped} micrographs are set aside, {back} come back"]


def thresholds_now(project: Project, folder: LiveFolder) -> list[str]:
    """The limits in force, and what limits can be set on."""
    options = read_settings(project.root / folder.order().jobs["Select"]).options
    now = options.get("thresholds", "") or "none"
    known = [
        f"  {kind.label or kind.key:<28} {kind.key:<22} {kind.title} {kind.unit}" for kind in KINDS
    ]
    return [f"limits: {now}", "limits can be set on:", *known]


def preview_thresholds(project: Project, folder: LiveFolder, text: str) -> dict[str, int]:
    """What limits would do, before they are set: micrographs and particles dropped and back."""
    ledger = known_movies(folder)
    manual = read_verdicts(folder.manual_file)
    now = parse_thresholds(_limits(project, folder))
    then = parse_thresholds(text)
    found = {"drop": 0, "drop_particles": 0, "back": 0, "accepted": 0}
    for movie in _judged(ledger.movies):
        was = not judge(movie.micrograph, movie.figures, now, manual)[0]
        will = not judge(movie.micrograph, movie.figures, then, manual)[0]
        found["accepted"] += will
        found["back"] += will and not was
        if was and not will:
            found["drop"] += 1
            found["drop_particles"] += int(movie.figures.get("particles", 0))
    return found


def _limits(project: Project, folder: LiveFolder) -> str:
    name = folder.order().jobs["Select"]
    return read_settings(project.root / name).options.get("thresholds", "")


def _accepted(project: Project, folder: LiveFolder) -> set[int]:
    limits = parse_thresholds(_limits(project, folder))
    manual = read_verdicts(folder.manual_file)
    return {
        movie.number
        for movie in _judged(known_movies(folder).movies)
        if not judge(movie.micrograph, movie.figures, limits, manual)[0]
    }


def _judged(movies: Iterable[Movie]) -> Iterable[Movie]:
    """Movies far enough to be judged."""
    return (movie for movie in movies if movie.made[INDEX["AutoPick"]] and not movie.is_aside)


def find_movies(ledger: Ledger, words: Sequence[str]) -> list[Movie]:
    """Movies by number, name, or a part of the name that fits one. Raises LookupError."""
    found = []
    for word in words:
        if word.isdigit() and 1 <= int(word) <= len(ledger.movies):
            found.append(ledger.movies[int(word) - 1])
            continue
        exact = [each for each in ledger.movies if word in (each.name, each.micrograph)]
        fitting = exact or [each for each in ledger.movies if word in each.name]
        if len(fitting) != 1:
            raise LookupError(f"{word!r} fits {len(fitting)} movies of the session; expected one")
        found.append(fitting[0])
    return found


def give_verdict(folder: LiveFolder, words: Sequence[str], verdict: str, why: str) -> list[str]:
    """A person accepts or rejects micrographs, or takes the verdict back (empty verdict)."""
    if verdict not in (ACCEPT, REJECT, ""):
        raise ValueError(f"verdict {verdict!r}: expected {ACCEPT}, {REJECT} or nothing")
    verdicts = read_manual(folder.manual_file)
    told = []
    for movie in find_movies(known_movies(folder), words):
        if not movie.micrograph:
            raise LookupError(f"{movie.name} has no micrograph yet")
        if verdict:
            verdicts[movie.micrograph] = (verdict, why or "by hand")
        else:
            verdicts.pop(movie.micrograph, None)
        told.append(
            f"{movie.micrograph}: {verdict + 'ed by hand' if verdict else 'as the limits say'}"
        )
    write_manual(folder.manual_file, verdicts)
    return told


def try_again(folder: LiveFolder, words: Sequence[str]) -> list[str]:
    """Ask the session to treat failed movies again (all that failed without words).

    Movies that are named and whose picks somebody edited are extracted again with those.
    """
    ledger = known_movies(folder)
    wanted = (
        find_movies(ledger, words) if words else [each for each in ledger.movies if each.is_aside]
    )
    failed = [movie for movie in wanted if movie.is_aside]
    intact = (movie for movie in wanted if not movie.is_aside)
    edited = edited_among(folder.root, folder.order().jobs, intact)
    numbers = [movie.number for movie in (*failed, *edited)]
    write_text(request_file(folder.path), json.dumps({"again": numbers}))
    told = [f"{len(failed)} movies are tried again"]
    if edited:
        told.append(f"extracted again with edited picks: {named(edited)}")
    return told


def request_file(path: Path) -> Path:
    """Where the numbers of movies to try again lie until the session has read them."""
    return path / "again.json"
