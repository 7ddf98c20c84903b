"""What a person asks of a session's map: to be made or not, to be believed, its symmetry, another first one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from verglas.formats.mrc import Image, read_mrc
from verglas.jobs.chain import INITIAL_MODEL
from verglas.project.project import Project
from verglas.scheduler.live.record.made_jobs import enter_map
from verglas.scheduler.live.record.map_state import (
    DOUBTFUL,
    INITIAL,
    MODES,
    NO_SYMMETRY,
    MapState,
    MapWish,
    map_line,
)
from verglas.scheduler.live.record.order import LiveFolder

if TYPE_CHECKING:
    from verglas.geometry.symmetry import PointGroup

PERSON = "person"


def set_map_mode(project: Project, folder: LiveFolder, mode: str) -> list[str]:
    """Make no map (off), one when 2D classes allow it (auto), or one whatever they look like (on)."""
    if mode not in MODES:
        raise ValueError(f"a map is made {', '.join(MODES)}, not {mode!r}")
    if mode != MODES[0] and not folder.order().map_options.get(INITIAL_MODEL, {}).get("particle_diameter"):
        raise ValueError(f"{folder.name} was begun without the diameter of the particle: it makes no map")
    _enter(project, folder, replace(MapWish.read(folder), mode=mode))
    return [f"the map of {folder.name}: {mode}"]


def accept_map(project: Project, folder: LiveFolder) -> list[str]:
    """Go on with a first map although it is doubtful. Raises LookupError if there is none."""
    state = MapState.read(folder)
    if state.may_be_believed:
        raise LookupError(f"{state.initial_job} is gone on with already")
    if not state.believable or state.state == INITIAL:
        raise LookupError("there is no first map yet that could be accepted")
    _enter(project, folder, replace(MapWish.read(folder), accepted=state.initial_job))
    return [f"{state.initial_job} is gone on with although it is {state.believable}"]


def ask_again(project: Project, folder: LiveFolder) -> list[str]:
    """Another first map, of the particles there are now; what there was stays in its jobs."""
    wish = MapWish.read(folder)
    _enter(project, folder, replace(wish, again=wish.again + 1, accepted="", reference=""))
    return ["another first map is made as soon as there are particles for it"]


def confirm_symmetry(project: Project, folder: LiveFolder, name: str) -> list[str]:
    """The refinement goes on in this point group, begun anew from the map on its axes.

    Before there is a map, the first one will be laid on them. Raises ValueError for a name that is none,
    LookupError while the first map is being made.
    """
    from verglas.geometry.symmetry import PointGroup

    group = PointGroup.of(name)
    state, wish = MapState.read(folder), MapWish.read(folder)
    if state.state == INITIAL:
        raise LookupError("the first map is just being made: say its symmetry when it is there")
    new = replace(wish, symmetry=group.name, by=PERSON)
    if state.state == DOUBTFUL and not state.may_be_believed:
        raise LookupError(f"the first map is {state.believable}: accept it first, or ask again")
    if not state.map or group.name in (NO_SYMMETRY, state.symmetry):
        kept = wish.reference if group.name == wish.symmetry else ""
        _enter(project, folder, replace(new, reference=kept))
        return [f"the symmetry of {folder.name} is {group.name}"]
    symmetric, agreement = _on_axes(project, state.map, group)
    with project.change("symmetry of a live session") as change:
        note = f"verglas live map --confirm {group.name}: {state.map}"
        reference = enter_map(change, f"reference_{group.name}.mrc", symmetric, state.map, note)
        replace(new, reference=reference).enter(change, folder)
    return [
        f"the axes of {group.name} were found; the map agrees with its turned copies to {agreement:.2f}",
        f"the refinement goes on in {group.name}, begun anew from {reference}",
    ]


def told(folder: LiveFolder) -> list[str]:
    """What is known of the map, in words."""
    state, wish = MapState.read(folder), MapWish.read(folder)
    lines = [map_line(state.__dict__) or f"map: none is made ({wish.mode})"]
    if state.believable:
        lines.append(f"the first map, {state.initial_job}, is {state.believable}")
        if not state.may_be_believed:
            lines.append("go on with it: verglas live map --accept     another one: verglas live map --again")
    for name, score, statement in state.proposed_symmetry:
        lines.append(f"  {name:<4} {score:.2f}  {statement}")
    if state.confirmed_by:
        lines.append(f"symmetry: {state.symmetry} ({state.confirmed_by})")
    if state.job:
        lines.append(f"{state.job}: {state.updates} updates, {state.particles} particles; {state.map}")
    lines += [f"{folder_}: {job}" for folder_, job in state.final_jobs.items()]
    return lines


def _on_axes(project: Project, name: str, group: PointGroup) -> tuple[Image, float]:
    """A map laid on the axes of a group and made symmetric; and how well it agrees with its turned copies."""
    import torch

    from verglas.maps.symmetry.alignment import align_to_symmetry, impose

    image = read_mrc(project.root / name)
    move = align_to_symmetry(torch.from_numpy(image.data), image.pixel_size_angst, group)
    return replace(image, data=impose(image.data, move, group)), move.correlation


def _enter(project: Project, folder: LiveFolder, wish: MapWish) -> None:
    with project.change("what a person wants of a map") as change:
        wish.enter(change, folder)
