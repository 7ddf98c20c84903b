"""Classes that a person chooses in a live session, and their particles."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarFile, read_star
from verglas.jobs.chain import CLASSES
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState, chosen_file, follow, newest_averages
from verglas.scheduler.live.record.order import LiveFolder

AVERAGES, DATA = "_classes.mrcs", "_data.star"


def choose_classes(project: Project, folder: LiveFolder, numbers: list[int]) -> list[str]:
    """A person chooses classes (from 1) of the newest averages; they are followed from now on."""
    state = ClassState.read(folder)
    averages = state.averages or newest_averages(project, folder.order().jobs.get(CLASSES, ""))
    if not averages:
        raise LookupError("there are no class averages yet")
    image = read_mrc(project.root / averages)
    wrong = [number for number in numbers if not 1 <= number <= len(image.data)]
    if wrong:
        raise ValueError(f"there is no class {wrong[0]}: {averages} holds {len(image.data)}")
    picked = image.data[[number - 1 for number in numbers]]
    state.chosen, state.averages, state.lost = sorted(numbers), averages, 0
    with project.change("choose classes") as change:
        follow(change, folder, picked, image, numbers)
        state.enter(change, folder)
    return [f"{len(numbers)} classes of {averages} are chosen"]


def chosen_particles(
    project: Project, folder: LiveFolder, micrographs: Container[str]
) -> tuple[str, StarFile] | None:
    """The list that the newest 2D update wrote, and its rows in chosen classes on these micrographs.

    None if no class is chosen. Raises LookupError while an update that has just ended is not taken in.
    """
    state = ClassState.read(folder)
    if not state.chosen or not chosen_file(folder).exists():
        return None
    if not _are_current(project, folder, state):
        raise LookupError("the 2D classes are just being replaced: try again in a few seconds")
    source = state.averages.removesuffix(AVERAGES) + DATA
    star = read_star(project.root / source)
    table = star["particles"]
    names, classes = table.strings("rlnMicrographName"), table.ints("rlnClassNumber")
    chosen = set(state.chosen)
    rows = [
        row
        for row, (name, number) in enumerate(zip(names, classes.tolist()))
        if number in chosen and name in micrographs
    ]
    if not rows:
        raise LookupError(f"the chosen classes of {source} hold no accepted particle")
    return source, StarFile({**star, "particles": table.take(rows)})


def _are_current(project: Project, folder: LiveFolder, state: ClassState) -> bool:
    """Whether the chosen numbers count in the averages that lie there now."""
    path = project.root / state.averages
    if not path.exists():
        return False
    now, followed = read_mrc(path).data, read_mrc(chosen_file(folder)).data
    if max(state.chosen) > len(now) or now.shape[1:] != followed.shape[1:]:
        return False
    return all(any(np.array_equal(now[number - 1], each) for each in followed) for number in state.chosen)
