"""Whether a movie of a session is accepted, by the limits and verdicts in force."""

from __future__ import annotations

from dataclasses import dataclass, field

from verglas.jobs.chain import PICKING, SELECTION
from verglas.jobs.select.thresholds import FAILURE, Threshold, judge, parse_thresholds, read_verdicts
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.order import LiveFolder

Verdicts = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Judging:
    """What decides whether a micrograph is accepted."""

    thresholds: tuple[Threshold, ...] = ()
    text: str = ""
    manual: Verdicts = field(default_factory=dict)


def judging_of(project: Project, folder: LiveFolder) -> Judging:
    """Limits and verdicts in force; none where the session has no Select job (yet)."""
    try:
        options = read_settings(project.root / select_job(folder)).options
        text = options.get("thresholds", "")
        return Judging(parse_thresholds(text), text, read_verdicts(folder.manual_file))
    except (OSError, ValueError):
        return Judging(manual=read_verdicts(folder.manual_file))


def verdict_of(movie: Movie, judging: Judging) -> tuple[str, str]:
    """("", "") for an accepted movie or one on its way, else (kind, why)."""
    if movie.is_aside:
        return FAILURE, movie.aside
    if not movie.made[INDEX[PICKING]]:
        return "", ""
    return judge(movie.micrograph, movie.figures, judging.thresholds, judging.manual)


def select_job(folder: LiveFolder) -> str:
    """The session's Select job; "" without one."""
    try:
        return folder.order().jobs.get(SELECTION, "")
    except (OSError, ValueError, TypeError, KeyError):
        return ""
