"""What pictures of a live session's movies are drawn from: sizes, picks, trials beside the present."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from verglas.formats.mrc import read_mrc_header
from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.star import StarError
from verglas.jobs.autopick.results import FOM, first_table
from verglas.jobs.select.figures import KINDS
from verglas.project.confinement import LARGEST_TABLE, regular_file
from verglas.project.project import OWN_FOLDER, Project
from verglas.project.results.one_micrograph import candidates_of
from verglas.scheduler.live.record.ledger import Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.trial import Trial, files_of, read_trial

MOST_PICKS = 5000


def shown(project: Project, folder: LiveFolder, movie: Movie) -> dict[str, Any]:
    """One movie: its micrograph, the size of it, and its picks (none before picking)."""
    files = files_of(movie.name, folder.order().jobs)
    return {"number": movie.number, "name": movie.micrograph, **_drawn(project, files)}


def trial_shown(project: Project, trial: Trial) -> dict[str, Any]:
    """A trial's figures beside the present ones, with what its two pictures are drawn from."""
    rows = [
        {
            "key": kind.key,
            "title": kind.title,
            "unit": kind.unit,
            "now": trial.now.get(kind.key),
            "trial": trial.trial[kind.key],
        }
        for kind in KINDS
        if kind.key in trial.trial
    ]
    trial_files, now_files = trial.trial_files, trial.now_files
    new = {key: trial_files.get(key, "").startswith(f"{OWN_FOLDER}/") for key in now_files}
    return {
        "number": trial.number,
        "name": trial.name,
        "aside": trial.aside,
        "figures": rows,
        "new": new,  # which pictures the trial has of its own
        "now_files": now_files,
        "now": _drawn(project, now_files),
        "trial": _drawn(project, trial_files) if trial_files else None,
    }


def trial_file(folder: LiveFolder, number: int, kind: str) -> Path | None:
    """A picture that the last trial of a movie made itself; None without one."""
    trial = read_trial(folder, number)
    if trial is None or kind not in trial.trial_files:
        return None
    path = folder.root / trial.trial_files[kind]
    inside = folder.path / "try" / str(number)
    return path if path.is_relative_to(inside) and path.is_file() else None


def _drawn(project: Project, files: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"width": 0, "height": 0, "pixel_size_angst": 0.0}
    with suppress(OSError, UnreadableImage):  # not there yet: nothing is drawn
        header = read_mrc_header(regular_file(project, files["micrograph"]))
        height, width = header.shape_yx
        found = {"width": width, "height": height, "pixel_size_angst": header.pixel_size_angst}
    return {**found, "picks": _picks(project, files["picks"])}


def _picks(project: Project, path: str) -> dict[str, Any]:
    """Candidates with the threshold they were judged by, or the picks alone."""
    found = candidates_of(project, path)
    if found is None:
        try:
            table = first_table(regular_file(project, path, LARGEST_TABLE))
        except (OSError, StarError):
            table = None
        if table is None:
            return {"x": [], "y": [], "fom": None, "threshold": None}
        found = {
            "x": table.floats("rlnCoordinateX").tolist(),
            "y": table.floats("rlnCoordinateY").tolist(),
            "fom": table.floats(FOM).tolist() if FOM in table else None,
            "threshold": None,
        }
    return {key: each[:MOST_PICKS] if isinstance(each, list) else each for key, each in found.items()}
