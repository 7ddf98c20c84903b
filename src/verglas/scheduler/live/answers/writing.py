"""From a session's map, its history and its movies to the answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from verglas.formats.star import StarError, StarTable
from verglas.project.project import Project
from verglas.scheduler.live.answers.told import Answers, write_answers
from verglas.scheduler.live.record.map_state import MapState, read_history
from verglas.scheduler.live.record.order import RUNNING, LiveFolder, read_json

if TYPE_CHECKING:
    from verglas.outlook.views import Views

DATA = "run_data.star"
Found = TypeVar("Found")


def write(project: Project, folder: LiveFolder) -> Answers | None:
    """Write `answers.json` for the session's map as it is now, and raise or clear its alarms.

    None while there is no map. What cannot be answered is left out, and the answers say why.
    """
    answers = find_answers(project, folder)
    if answers is not None:
        write_answers(folder, answers)
        _alarm(project.root, folder.name, answers)
    return answers


def find_answers(project: Project, folder: LiveFolder) -> Answers | None:
    """The answers, without writing anything."""
    from verglas.outlook.forecast import Forecast, forecast
    from verglas.scheduler.live.answers import history as told
    from verglas.scheduler.live.answers.parts import Parts, read_particles, what_parts_add
    from verglas.scheduler.live.answers.words import alerts_of, lines_of

    job = MapState.read(folder).job
    lines = told.of_one_kind(read_history(project.root, job))
    if not lines:
        return None
    unknown: list[str] = []
    symmetry, nyquist = str(lines[-1].get("symmetry", "C1")), told.nyquist_angst(lines)
    particles: StarTable | None = _tried(lambda: read_particles(project.root / job / DATA), unknown)
    views: Views | None = None
    parts = Parts([], [], 0, 0)
    if particles is not None:
        table = particles
        views = _tried(lambda: _views(table, symmetry), unknown)
        parts = _tried(lambda: what_parts_add(project, folder, table), unknown) or parts
    history = told.moments(lines)
    found: Forecast = forecast(told.updates(lines), nyquist, _rate(folder, parts.in_map, parts.counted))
    now, before = told.curves(lines)
    return Answers(
        time.time(),
        job,
        int(lines[-1].get("update", len(lines))),
        symmetry,
        nyquist,
        history,
        now,
        before,
        found,
        views,
        parts.squares,
        parts.hours,
        alerts_of(history, nyquist, views),
        lines_of(found, views, parts.squares, parts.hours),
        unknown,
    )


def _tried(find: Callable[[], Found], unknown: list[str]) -> Found | None:
    """What can be found; else None, and why not is added."""
    try:
        return find()
    except (OSError, StarError, ValueError, KeyError) as error:
        unknown.append(str(error))
        return None


def _views(particles: StarTable, symmetry: str) -> Views:
    from verglas.outlook.stage_tilt import views_of

    return views_of(particles.floats("rlnAngleRot"), particles.floats("rlnAngleTilt"), symmetry)


def _rate(folder: LiveFolder, in_map: int, movies: int) -> float | None:
    """Particles that come into the map per hour at the present rate of movies; None while none come."""
    if folder.phase() != RUNNING or not movies:
        return None
    per_hour = float(read_json(folder.status_file).get("done_per_hour", 0.0))
    return per_hour * in_map / movies or None


def _alarm(root: Path, name: str, answers: Answers) -> None:
    """Once for each cause, and once when it is gone."""
    from verglas.scheduler.alarms import clear_alarm, raise_alarm
    from verglas.scheduler.live.answers.words import KINDS

    active = {each.kind: each.words for each in answers.alerts}
    for kind in KINDS:
        cause = f"live-{name}-map-{kind}"
        if kind in active:
            raise_alarm(root, cause, f"live session {name}: {active[kind]}")
        else:
            clear_alarm(root, cause, f"live session {name}: the map is well again ({kind})")
