"""A person's choice of classes, kept through repeats of the classification.

The choice (`backup_selection.star`) belongs to the class averages it was made on. Once those were
computed anew it is carried over to averages that are the same; if that does not settle every class, the
job waits for the person: the old choice and its averages lie beside the new classes
(`previous_selection.star`, `previous_averages.mrcs`), and what could be carried over is proposed
(`proposed_selection.star`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from verglas.formats.atomic import write_text
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import NothingToDo
from verglas.particles.class_matching import SAME_FROM, match_classes

BACKUP = "backup_selection.star"
PROPOSED = "proposed_selection.star"
PREVIOUS = "previous_selection.star"
PREVIOUS_AVERAGES = "previous_averages.mrcs"
_RECORD = ".verglas_choice.json"
_AVERAGES = ".verglas_chosen_averages.mrcs"


def choice_of_a_person(directory: Path, averages: np.ndarray) -> np.ndarray:
    """Chosen or not, per class (k,) bool, for averages (k, n, n). Raises NothingToDo: waiting for you."""
    path = directory / BACKUP
    if not path.exists():
        raise NothingToDo("waiting for you: choose classes in the class gallery")
    chosen = _read(path)
    known = _record(directory)
    made_anew = known is not None and known["averages"] != _digest(averages)
    if made_anew and known is not None and known["choice"] == _file_digest(path):
        chosen = _carried_over(directory, chosen, averages)
    if len(chosen) != len(averages):
        raise NothingToDo(
            f"waiting for you: the choice is for {len(chosen)} classes, now there are {len(averages)}"
        )
    return chosen


def remember_choice(directory: Path, averages: np.ndarray) -> None:
    """Call when the choice was acted on: it belongs to these averages."""
    record = {"choice": _file_digest(directory / BACKUP), "averages": _digest(averages)}
    if _record(directory) == record:
        return
    write_mrc(directory / _AVERAGES, averages.astype(np.float32), 1.0)
    write_text(directory / _RECORD, json.dumps(record))
    for name in (PROPOSED, PREVIOUS, PREVIOUS_AVERAGES):
        (directory / name).unlink(missing_ok=True)


def _carried_over(directory: Path, chosen: np.ndarray, averages: np.ndarray) -> np.ndarray:
    old = read_mrc(directory / _AVERAGES).data
    partner, likeness = match_classes(old, averages)
    same = (partner >= 0) & (likeness >= SAME_FROM)
    carried = np.zeros(len(averages), bool)
    carried[same] = chosen[partner[same]]
    if same.all() and len(old) == len(averages):
        return carried
    (directory / PREVIOUS).write_bytes((directory / BACKUP).read_bytes())
    (directory / PREVIOUS_AVERAGES).write_bytes((directory / _AVERAGES).read_bytes())
    write_star(directory / PROPOSED, [StarTable.from_columns("", {"rlnSelected": carried.astype(int)})])
    raise NothingToDo(
        "waiting for you: the classes were computed anew; the old choice was carried over to "
        f"{int(same.sum())} of {len(averages)} classes, look at the others in the class gallery"
    )


def _read(path: Path) -> np.ndarray:
    chosen: np.ndarray = next(iter(read_star(path).values())).ints("rlnSelected") != 0
    return chosen


def _record(directory: Path) -> dict[str, str] | None:
    try:
        known: dict[str, str] = json.loads((directory / _RECORD).read_text())
    except (OSError, ValueError):
        return None
    return known if (directory / _AVERAGES).exists() else None


def _digest(averages: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(averages, np.float32).tobytes()).hexdigest()


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
