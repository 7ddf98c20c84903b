"""`verglas live start`: from a folder to a session at work."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, Words, split_words
from verglas.jobs.chain import STAGES
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
    from verglas.scheduler.live.requests.facts import Intake

_VALUES = (
    "pixel-size",
    "kv",
    "cs",
    "amplitude-contrast",
    "dose-per-frame",
    "dose",
    "gain",
    "gain-rot",
    "gain-flip",
    "diameter",
    "eer-grouping",
    "bin",
    "movies",
    "thresholds",
    "mtf",
    "shift-tolerance",
)
_START = {
    **{f"--{key}": True for key in _VALUES},
    "--devices": True,
    "--workers": True,
    "--threads": True,
    "--memory": True,
    "--name": True,
    "--first": True,
    "--frames": True,
    "--profile": True,
    "--like": True,
    "--optics-groups": False,
    "--no-2d": False,
    "--foreground": False,
    "--look": False,
    "--json": False,
    "--publish-every": True,
    "--poll": True,
    "--classes-from": True,
    "--classes-growth": True,
    "--three-d": True,
    "--map-from": True,
    "--sym": True,
    **{f"--{stage}-devices": True for stage in STAGES},
}


def start(words: list[str]) -> int:
    from verglas.scheduler.live.requests.beginning import (
        Beginning,
        known_of,
        look_of,
        options_of,
        set_going,
        wake,
    )

    words, changed = take_settings(words)
    parsed = split_words(words, _START)
    if parsed.has("--json") and not parsed.has("--look"):
        raise CommandError("--json belongs to --look")
    if len(parsed.positional) != 1:
        raise CommandError("name the folder (or wildcard) where movies arrive")
    source = os.path.abspath(parsed.positional[0])
    given = {key: parsed.text(f"--{key}") for key in _VALUES if parsed.has(f"--{key}")}
    project = _project()
    asked = Beginning(
        source,
        given,
        changed,
        parsed.text("--profile"),
        parsed.text("--like"),
        not parsed.has("--no-2d"),
        parsed.has("--optics-groups"),
    )
    order = _order(project, parsed)
    intake, lent = known_of(project, asked)
    if parsed.has("--json"):
        print(json.dumps(asdict(look_of(intake))))
        return 0
    options = options_of(intake, lent, asked)
    _tell(intake)
    if parsed.has("--look"):
        return 0
    folder, profile = set_going(project, order, intake, options, asked)
    if profile is not None:
        print(f"profile saved: {profile}")
    if parsed.has("--foreground"):
        return run_here(project, folder, supervised=False)
    wake(project, folder)
    print(f"live session {order.name} runs; it goes on without you")
    print("  look: verglas live status --watch     end: verglas live finish")
    return 0


def _project() -> Project:
    """The project of this directory; made here if it is none."""
    from verglas.project.project import NotAProject

    try:
        project = Project.open()
    except NotAProject:
        project = Project.create(".")
    os.chdir(project.root)
    return project


def _order(project: Project, parsed: Words) -> LiveOrder:
    from verglas.scheduler.live.record.order import LiveOrder
    from verglas.scheduler.live.requests.beginning import (
        checked_name,
        known_symmetry,
        usual_devices,
        usual_workers,
    )

    name = checked_name(project, parsed.text("--name"))
    devices = tuple(filter(None, parsed.text("--devices").split(","))) or usual_devices()
    threads = max(1, parsed.count("--threads", 1))
    stages = {
        stage: tuple(parsed.text(f"--{stage}-devices").split(","))
        for stage in STAGES
        if parsed.has(f"--{stage}-devices")
    }
    return LiveOrder(
        name,
        devices=devices,
        stage_devices=stages,
        workers=parsed.count("--workers", usual_workers(devices, threads)),
        threads=threads,
        memory_bytes=int(parsed.number("--memory", 0) * 1e9),
        first=parsed.text("--first", "oldest"),
        n_frames=parsed.count("--frames", 0),
        publish_s=parsed.number("--publish-every", 10.0),
        poll_s=parsed.number("--poll", 1.0),
        classes_from=parsed.count("--classes-from", 1000),
        classes_growth=parsed.number("--classes-growth", 1.5),
        three_d=parsed.text("--three-d", "auto"),
        symmetry=known_symmetry(parsed.text("--sym")),
        map_from=parsed.count("--map-from", 3000),
    )


def _tell(intake: Intake) -> None:
    print("what is known about the session:")
    for key, fact in intake.facts.items():
        print(f"  {key:<20} {fact.shown}")
    for warning in intake.warnings:
        print(f"  WARNING: {warning}")


def take_settings(words: Sequence[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Take `--set JOB.option=value` out of the words."""
    rest: list[str] = []
    found: dict[str, dict[str, str]] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word != "--set":
            rest.append(word)
            continue
        put_setting(found, queue.pop(0) if queue else "")
    return rest, found


def put_setting(found: dict[str, dict[str, str]], text: str) -> None:
    where, equals, value = text.partition("=")
    folder, dot, key = where.partition(".")
    if not (equals and dot and key):
        raise CommandError(f"{text!r}: expected JOB.option=value, e.g. MotionCorr.patch_x=5")
    found.setdefault(folder, {})[key] = value


def run_here(project: Project, folder: LiveFolder, *, supervised: bool) -> int:
    from verglas.scheduler.live.session.session import LiveSession

    return LiveSession(project, folder, supervised=supervised).run()
