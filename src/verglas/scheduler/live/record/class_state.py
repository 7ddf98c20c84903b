"""What is known about a session's 2D classes, and the averages that were chosen among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from verglas.formats.mrc import Image, write_mrc
from verglas.project.change import Change
from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.remembered import Remembered

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass
class ClassState(Remembered):
    """What is known about the classes."""

    FILE: ClassVar[str] = "classes.json"

    job: str = ""
    state: str = "none"  # none, updating, last run, up to date, failed, final
    updates: int = 0
    particles: int = 0  # that the last update has seen
    averages: str = ""  # newest class averages, relative to the project
    chosen: list[int] = field(default_factory=list)  # class numbers from 1, in the newest averages
    lost: int = 0  # chosen classes that the last update had no counterpart of
    own_options: dict[str, str] = field(default_factory=dict)  # of a run from nothing


def chosen_file(folder: LiveFolder) -> Path:
    """The chosen averages themselves: what a later update is searched for."""
    return folder.path / "chosen_averages.mrcs"


def others_file(folder: LiveFolder) -> Path:
    """The averages beside them: what shows one of these is no chosen class."""
    return folder.path / "other_averages.mrcs"


def newest_averages(project: Project, job: str) -> str:
    """The class averages of a job's last iteration, relative to the project; "" if there are none."""
    found = sorted((project.root / job).glob("run*_it*_classes.mrcs"), key=lambda path: path.name)
    return str(found[-1].relative_to(project.root)) if found else ""


def follow(
    change: Change,
    folder: LiveFolder,
    followed: npt.NDArray[np.floating],  # (k, y, x): what the next update is searched for
    image: Image,  # all averages
    chosen: list[int],  # numbers of those followed in `image`, from 1
) -> None:
    """Keep the averages that are followed and, as their rivals, those that are not chosen."""
    import numpy as np

    others = [each for number, each in enumerate(image.data, 1) if number not in chosen]
    mine, theirs = (str(of(folder).relative_to(folder.root)) for of in (chosen_file, others_file))
    write_mrc(change.file(mine), followed, image.pixel_size_angst)
    if others:
        write_mrc(change.file(theirs), np.stack(others), image.pixel_size_angst)
    else:
        change.remove(theirs)
