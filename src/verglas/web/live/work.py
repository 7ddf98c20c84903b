"""What a worker does for the pages of a live session, with typed arguments; nothing here is imported there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
from verglas.scheduler.live.requests.beginning import (
    Beginning,
    Look,
    begin,
    checked_name,
    known_symmetry,
    look,
    usual_devices,
    usual_workers,
)
from verglas.scheduler.live.requests.map_wishes import confirm_symmetry
from verglas.scheduler.live.requests.trial import Trial, try_movies


@dataclass(frozen=True)
class Resources:
    """What a new session may use; nothing said: all devices, the usual number of workers."""

    name: str = ""
    first: str = "oldest"
    workers: int = 0  # per device
    devices: tuple[str, ...] = ()
    three_d: str = "auto"
    symmetry: str = ""


def look_at(root: Path, asked: Beginning) -> Look:
    return look(Project(root), asked)


def begin_session(root: Path, asked: Beginning, resources: Resources) -> str:
    """The name of the session, which is at work."""
    project = Project(root)
    devices = resources.devices or usual_devices()
    workers = resources.workers or usual_workers(devices, 1)
    name = checked_name(project, resources.name)
    order = LiveOrder(
        name,
        devices=devices,
        workers=workers,
        first=resources.first,
        three_d=resources.three_d,
        symmetry=known_symmetry(resources.symmetry),
    )
    return begin(project, order, asked).name


def try_settings(
    root: Path, name: str, numbers: Sequence[int], changed: Mapping[str, Mapping[str, str]]
) -> list[Trial]:
    which = [str(number) for number in numbers]
    return try_movies(Project(root), LiveFolder(root, name), which, changed)


def confirm_symmetry_of(root: Path, name: str, symmetry: str) -> list[str]:
    return confirm_symmetry(Project(root), LiveFolder(root, name), symmetry)
