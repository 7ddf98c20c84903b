"""`verglas live start`: from a folder to a session at work."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, Words, split_words
from verglas.jobs.chain import STAGES
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder
    from verglas.scheduler.live.requests.facts import Intake

FIRST_CHECKED = 3  # movies that --look --json compares with what is known
_VALUES = (
    "pixel-size", "kv", "cs", "amplitude-contrast", "dose-per-frame", "dose", "gain", "gain-rot",
    "gain-flip", "diameter", "eer-grouping", "bin", "movies", "thresholds", "mtf", "shift-tolerance",
)  # fmt: skip
_START = {
    **{f"--{key}": True for key in _VALUES}, "--devices": True, "--workers": True, "--threads": True,
    "--memory": True, "--name": True, "--first": True, "--frames": True, "--profile": True,
    "--like": True, "--optics-groups": False, "--no-2d": False, "--foreground": False,
    "--look": False, "--json": False,
    "--publish-every": True, "--poll": True, "--classes-from": True, "--classes-growth": True,
    **{f"--{stage}-devices": True for stage in STAGES},
}  # fmt: skip


def start(words: list[str]) -> int:
    from verglas.scheduler.live.requests.first_options import chain_options, set_up
    from verglas.scheduler.live.requests.intake import look_at_session

    words, changed = take_settings(words)
    parsed = split_words(words, _START)
    if parsed.has("--json") and not parsed.has("--look"):
        raise CommandError("--json belongs to --look")
    if len(parsed.positional) != 1:
        raise CommandError("name the folder (or wildcard) where movies arrive")
    project = _project()
    given = {key: parsed.text(f"--{key}") for key in _VALUES if parsed.has(f"--{key}")}
    order = _order(project, parsed)
    source = _as_project_path(project, parsed.positional[0])
    intake = look_at_session(source, given)
    lent = _lent(parsed, intake)
    if parsed.has("--json"):
        print(json.dumps(_look(intake)))
        return 0
    options = chain_options(intake, _over(lent, changed))
    _tell(intake)
    if parsed.has("--look"):
        return 0
    folder = set_up(
        project, order, intake, options, classes=not parsed.has("--no-2d"),
        by_beam_shift=parsed.has("--optics-groups"),
    )  # fmt: skip
    _save_profile(parsed, options)
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


def _as_project_path(project: Project, source: str) -> str:
    """Sources inside the project by their name there, others by their absolute path."""
    path = Path(os.path.abspath(source))
    if path.is_relative_to(project.root):
        return str(path.relative_to(project.root))
    return str(path)


def _order(project: Project, parsed: Words):  # type: ignore[no-untyped-def]
    from verglas.compute.executors import available_cores
    from verglas.scheduler.live.record.order import LiveFolder, LiveOrder

    name = parsed.text("--name") or _free_name(project)
    if (LiveFolder(project.root, name).path / "order.json").exists():
        raise CommandError(
            f"there is a live session {name}; go on with: verglas live resume {name}, or give --name"
        )
    devices = _devices(parsed.text("--devices"))
    on_cpu = all(device == "cpu" for device in devices)
    threads = max(1, parsed.count("--threads", 1))
    workers = parsed.count(
        "--workers", max(1, min(8, available_cores() // threads)) if on_cpu else 2
    )
    stages = {
        stage: tuple(parsed.text(f"--{stage}-devices").split(","))
        for stage in STAGES
        if parsed.has(f"--{stage}-devices")
    }
    return LiveOrder(
        name, devices=devices, stage_devices=stages, workers=workers, threads=threads,
        memory_bytes=int(parsed.number("--memory", 0) * 1e9), first=parsed.text("--first", "oldest"),
        n_frames=parsed.count("--frames", 0), publish_s=parsed.number("--publish-every", 10.0),
        poll_s=parsed.number("--poll", 1.0), classes_from=parsed.count("--classes-from", 1000),
        classes_growth=parsed.number("--classes-growth", 1.5),
    )  # fmt: skip


def _devices(text: str) -> tuple[str, ...]:
    if text:
        return tuple(text.split(","))
    from verglas.compute.devices import available_devices

    return tuple(available_devices())


def _free_name(project: Project) -> str:
    from verglas.scheduler.live.record.order import all_sessions

    taken = {folder.name for folder in all_sessions(project.root)}
    return next(name for n in range(1, 1000) if (name := f"live{n}") not in taken)


def _lent(parsed: Words, intake: Intake) -> dict[str, dict[str, str]]:
    """Options of another session or of a profile; what they tell about the session is entered."""
    from verglas.scheduler.live.requests.reuse import lend, options_like, read_profile

    if parsed.has("--like"):
        where = parsed.text("--like")
        return lend(intake, options_like(Project.open(where)), f"as in {where}")
    if parsed.has("--profile"):
        name = parsed.text("--profile")
        return lend(intake, read_profile(name), f"profile {name}")
    return {}


def _over(
    lent: dict[str, dict[str, str]], changed: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """What was set now goes before what was lent."""
    return {
        folder: {**lent.get(folder, {}), **changed.get(folder, {})}
        for folder in {**lent, **changed}
    }


def _save_profile(parsed: Words, options: dict[str, dict[str, str]]) -> None:
    from verglas.scheduler.live.requests.reuse import write_profile

    if parsed.has("--profile"):
        print(f"profile saved: {write_profile(parsed.text('--profile'), options)}")


def _tell(intake: Intake) -> None:
    print("what is known about the session:")
    for key, fact in intake.facts.items():
        print(f"  {key:<20} {fact.shown}")
    for warning in intake.warnings:
        print(f"  WARNING: {warning}")


def _look(intake: Intake) -> dict[str, object]:
    """What is known, what somebody has to give, and how the first three movies fit it."""
    from verglas.scheduler.live.record.sanity import Stated, check_inputs
    from verglas.scheduler.live.requests.facts import NEEDED
    from verglas.scheduler.live.requests.movies_found import some_movies

    first = [Path(info.path) for info in some_movies(intake.wildcard, FIRST_CHECKED)]
    values = {key: fact.value for key, fact in intake.facts.items()}
    return {
        "facts": {key: asdict(fact) for key, fact in intake.facts.items()},
        "warnings": intake.warnings,
        "missing": [key for key in NEEDED if key not in intake.facts],
        "findings": [asdict(each) for each in check_inputs(first, Stated.of(values))]
        if first
        else [],
        "checked": [path.name for path in first],
    }


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


def wake(project: Project, folder: LiveFolder) -> None:
    """See that a process works on the session, and go on when it does."""
    from verglas.scheduler.supervisor import begin_work, ensure_supervisor

    ensure_supervisor(project.root)
    if not begin_work(folder):
        raise CommandError(
            f"what works on {folder.name} ends at once; see {project.root}/.verglas/scheduler.log"
        )


def run_here(project: Project, folder: LiveFolder, *, supervised: bool) -> int:
    from verglas.scheduler.live.session.session import LiveSession

    return LiveSession(project, folder, supervised=supervised).run()
