"""`verglas live classes` and `verglas live map`: what is made of all particles, and what a person says of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, split_words
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder

_FLAGS = {
    "--confirm": True,
    "--accept": False,
    "--again": False,
    "--off": False,
    "--on": False,
    "--auto": False,
}


def live_classes(words: list[str], folder: LiveFolder) -> int:
    """Choose classes, pick with them, and tell their state. Raises LookupError, ValueError."""
    from verglas.scheduler.live.record.class_state import ClassState
    from verglas.scheduler.live.requests.class_choice import choose_classes
    from verglas.scheduler.live.requests.templates import pick_with_classes

    project = Project.open()
    parsed = split_words(words, {"--choose": True, "--templates": False, "--for": True})
    if parsed.has("--choose"):
        numbers = [int(word) for word in parsed.text("--choose").split(",")]
        print("\n".join(choose_classes(project, folder, numbers)))
    if parsed.has("--templates"):
        print("\n".join(pick_with_classes(project, folder, parsed.text("--for", "new"))))
    state = ClassState.read(folder)
    print(f"classes: {state.state}, {state.updates} updates, {state.particles} particles, {state.averages}")
    if state.chosen:
        print(f"chosen: {','.join(map(str, state.chosen))}; {state.lost} found no counterpart")
    return 0


def live_map(words: list[str], folder: LiveFolder) -> int:
    """Obey one request at most, then tell the state. Raises LookupError, ValueError, CommandError."""
    from verglas.scheduler.live.record.map_state import MapState
    from verglas.scheduler.live.requests import map_wishes as wishes
    from verglas.scheduler.live.requests.map_picking import pick_with_map

    parsed = split_words(words, {**_FLAGS, "--json": False, "--for": True, "--anyway": False})
    if parsed.positional:
        raise CommandError(f"{parsed.positional[0]!r}: verglas live map takes {', '.join(_FLAGS)}")
    asked = [flag for flag in _FLAGS if parsed.has(flag)]
    if len(asked) > 1:
        raise CommandError(f"{' and '.join(asked)}: one at a time")
    project, told = Project.open(), []
    for flag in asked:
        if flag == "--confirm":
            told = wishes.confirm_symmetry(project, folder, parsed.text(flag))
        elif flag == "--accept":
            told = wishes.accept_map(project, folder)
        elif flag == "--templates":
            told = pick_with_map(project, folder, parsed.text("--for", "new"), anyway=parsed.has("--anyway"))
        elif flag == "--again":
            told = wishes.ask_again(project, folder)
        else:
            told = wishes.set_map_mode(project, folder, flag.lstrip("-"))
    if parsed.has("--json"):
        print(json.dumps(asdict(MapState.read(folder))))
        return 0
    print("\n".join(told or wishes.told(folder)))
    return 0
