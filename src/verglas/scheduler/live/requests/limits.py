"""Limits on figures, changed while a session runs, and what they would do before they are set."""

from __future__ import annotations

from collections.abc import Iterable

from verglas.jobs.chain import PICKING, SELECTION
from verglas.jobs.select.figures import KINDS
from verglas.jobs.select.thresholds import judge, parse_thresholds, read_verdicts
from verglas.project.editing import edit
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.scheduler.live.record.ledger import INDEX, Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder


def change_thresholds(project: Project, folder: LiveFolder, text: str) -> list[str]:
    """Set the limits; an empty or `none` text takes them away. Raises ValueError."""
    text = "" if text.strip().lower() == "none" else text
    limits = parse_thresholds(text)
    before = _accepted(project, folder)
    edit(project, folder.order().jobs[SELECTION], {"thresholds": text})
    after = _accepted(project, folder)
    dropped, back = len(before - after), len(after - before)
    return [f"{len(limits)} limits: {dropped} micrographs are set aside, {back} come back"]


def thresholds_now(project: Project, folder: LiveFolder) -> list[str]:
    """The limits in force, and what limits can be set on."""
    options = read_settings(project.root / folder.order().jobs[SELECTION]).options
    now = options.get("thresholds", "") or "none"
    known = [f"  {kind.label or kind.key:<28} {kind.key:<22} {kind.title} {kind.unit}" for kind in KINDS]
    return [f"limits: {now}", "limits can be set on:", *known]


def preview_thresholds(project: Project, folder: LiveFolder, text: str) -> dict[str, int]:
    """What limits would do, before they are set: micrographs and particles dropped and back.

    Of `judged` micrographs, those far enough to be judged at all; `known` of them have every figure that
    the new limits are on.
    """
    ledger = Ledger.of(folder)
    manual = read_verdicts(folder.manual_file)
    now = parse_thresholds(_limits(project, folder))
    then = parse_thresholds(text)
    found = {"drop": 0, "drop_particles": 0, "back": 0, "accepted": 0, "judged": 0, "known": 0}
    for movie in _judged(ledger.movies):
        was = not judge(movie.micrograph, movie.figures, now, manual)[0]
        will = not judge(movie.micrograph, movie.figures, then, manual)[0]
        found["judged"] += 1
        found["known"] += all(each.kind.key in movie.figures for each in then)
        found["accepted"] += will
        found["back"] += will and not was
        if was and not will:
            found["drop"] += 1
            found["drop_particles"] += int(movie.figures.get("particles", 0))
    return found


def _limits(project: Project, folder: LiveFolder) -> str:
    name = folder.order().jobs[SELECTION]
    return read_settings(project.root / name).options.get("thresholds", "")


def _accepted(project: Project, folder: LiveFolder) -> set[int]:
    limits = parse_thresholds(_limits(project, folder))
    manual = read_verdicts(folder.manual_file)
    return {
        movie.number
        for movie in _judged(Ledger.of(folder).movies)
        if not judge(movie.micrograph, movie.figures, limits, manual)[0]
    }


def _judged(movies: Iterable[Movie]) -> Iterable[Movie]:
    """Movies far enough to be judged."""
    return (movie for movie in movies if movie.made[INDEX[PICKING]] and not movie.is_aside)
