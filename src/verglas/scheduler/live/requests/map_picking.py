"""Picking with projections of a session's map, where a trial says that it finds more."""

from __future__ import annotations

from verglas.formats.mrc import read_mrc
from verglas.jobs.chain import PICKING
from verglas.project.project import Project
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.made_jobs import enter_map
from verglas.scheduler.live.record.map_state import MapState
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.stage_changes import enter_settings
from verglas.scheduler.live.requests.trial import try_movies

ON_TRIAL = 3  # the newest micrographs that hold picks
PICKS = "picks"
TEMPLATE = "template_map.mrc"


def pick_with_map(project: Project, folder: LiveFolder, scope: str, *, anyway: bool = False) -> list[str]:
    """Freeze the map as an Import job and pick with its projections from now on, if they find more on trial.

    More is a matter of numbers: look at the picks of the trial, too. `anyway` asks no trial. What was done, in words.
    Raises LookupError without a map, or without micrographs to try, ValueError for a scope that is none.
    """
    state = MapState.read(folder)
    if not state.updates or not (project.root / state.map).exists():
        raise LookupError("there is no refined map yet whose projections could pick")
    told: list[str] = []
    if not anyway:
        now, trial, told = _on_trial(project, folder, state)
        if trial <= now:
            return [*told, f"projections of the map find no more ({trial} of {now}): nothing is changed"]
    with project.change("a map as template") as change:
        note = f"verglas live map --templates: frozen copy of {state.map}"
        name = enter_map(change, TEMPLATE, read_mrc(project.root / state.map), state.map, note)
        done = enter_settings(project, change, folder, {PICKING: _options(name, state.symmetry)}, scope)
    return [*told, f"{name}: its projections pick", *done]


def _options(name: str, symmetry: str) -> dict[str, str]:
    return {
        "do_log": "No",
        "do_refs": "Yes",
        "do_ref3d": "Yes",
        "fn_ref3d_autopick": name,
        "ref3d_symmetry": symmetry,
    }


def _on_trial(project: Project, folder: LiveFolder, state: MapState) -> tuple[int, int, list[str]]:
    """Picks now and on trial, and each micrograph in words."""
    movies = _newest(folder)
    if not movies:
        raise LookupError("there is no micrograph with picks that could be tried")
    which = [str(movie.number) for movie in movies]
    trials = try_movies(project, folder, which, {PICKING: _options(state.map, state.symmetry)})
    found = [int(each.trial.get(PICKS, 0)) for each in trials]
    now = [int(each.now.get(PICKS, 0)) for each in trials]
    lines = [f"{each.name}: {old} picks now, {new} on trial" for each, old, new in zip(trials, now, found)]
    return sum(now), sum(found), lines


def _newest(folder: LiveFolder) -> list[Movie]:
    held = [
        movie for movie in Ledger.of(folder).movies if movie.figures.get(PICKS, 0) > 0 and not movie.is_aside
    ]
    return held[-ON_TRIAL:]
