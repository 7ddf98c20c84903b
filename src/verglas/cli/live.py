"""`verglas live`: every movie flows through the chain as it arrives."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, Words, complain, split_words
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.jobs.live_intake import Intake
    from verglas.scheduler.live.order import LiveFolder

_HELP = """verglas live start FOLDER|'WILDCARD'   treat movies as they arrive (EPU, SerialEM, or any folder)
  what nobody recorded:   --pixel-size Å --kv kV --cs mm --amplitude-contrast --dose-per-frame e/Å2
                          (or --dose of the exposure) --gain FILE --gain-rot 0-3 --gain-flip 0-2
                          --diameter MIN,MAX (Å, of the particles) --eer-grouping N --bin N --movies '*.tiff'
  what it may use:        --devices cuda:0,cuda:1 --CtfFind-devices cpu --workers N (per device)
                          --threads N --memory GB
  how:                    --name NAME --first oldest|newest --frames N --thresholds 'rlnCtfMaxResolution <= 6'
                          --set MotionCorr.patch_x=5 (any option of any job; as often as needed)
                          --profile NAME (use it, and save what is set) --like PROJECT
                          --optics-groups (one per beam shift) --no-2d --classes-from 1000
                          --classes-growth 1.5 --foreground --look [--json] (start nothing)
verglas live status [NAME] [--json] [--watch] [--files]
verglas live pause | resume | finish | stop [NAME]      finish: drain, last 2D, report
verglas live set JOB.option=value ... [--for new|all|12-40]     new options while it runs
verglas live thresholds ['LIMITS']        show or change the limits; what depends is done again
verglas live accept | reject MICROGRAPH ... [--why TEXT] | forget MICROGRAPH ...    a person's verdict
verglas live classes [--choose 1,4,7] [--templates [--for new|all]]   chosen classes; pick with them
verglas live again [MOVIE ...]            try failed movies again
verglas live try MICROGRAPH ... --set JOB.option=value ...   trial of up to six; changes nothing
verglas live snapshot NAME                freeze accepted micrographs and particles as Select jobs
these commands steer the newest session at work; --session NAME another one"""
MOST_ON_TRIAL = 6
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
    **{f"--{stage}-devices": True for stage in ("MotionCorr", "CtfFind", "AutoPick", "Extract")},
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a failure."""
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    from verglas.jobs.live_intake import NothingFound
    from verglas.scheduler.live.order import SessionTaken

    command = rest[0]
    if command not in _COMMANDS:
        return complain("live", CommandError(f"no command {command!r}; verglas live --help"))
    try:
        return _COMMANDS[command](rest[1:])
    except (CommandError, NothingFound, SessionTaken, LookupError, ValueError, OSError) as error:
        return complain(f"live {command}", error)


def _start(words: list[str]) -> int:
    from verglas.jobs.live_intake import look_at_session
    from verglas.scheduler.live.plan import chain_options, set_up

    words, changed = _settings(words)
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
    if parsed.has("--json"):
        print(json.dumps(_look(intake)))
        return 0
    options = chain_options(intake, _with_profile(parsed, changed))
    _tell(intake)
    if parsed.has("--look"):
        return 0
    folder = set_up(
        project, order, intake, options, classes=not parsed.has("--no-2d"),
        by_beam_shift=parsed.has("--optics-groups"),
    )  # fmt: skip
    _save_profile(parsed, options)
    if parsed.has("--foreground"):
        return _run(project, folder, supervised=False)
    _wake(project, folder)
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
    from verglas.scheduler.live.order import STAGES, LiveFolder, LiveOrder

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
    from verglas.scheduler.live.order import all_sessions

    taken = {folder.name for folder in all_sessions(project.root)}
    return next(name for n in range(1, 1000) if (name := f"live{n}") not in taken)


def _settings(words: Sequence[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Take `--set JOB.option=value` out of the words."""
    rest: list[str] = []
    found: dict[str, dict[str, str]] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word != "--set":
            rest.append(word)
            continue
        _put(found, queue.pop(0) if queue else "")
    return rest, found


def _put(found: dict[str, dict[str, str]], text: str) -> None:
    where, equals, value = text.partition("=")
    folder, dot, key = where.partition(".")
    if not (equals and dot and key):
        raise CommandError(f"{text!r}: expected JOB.option=value, e.g. MotionCorr.patch_x=5")
    found.setdefault(folder, {})[key] = value


def _with_profile(parsed: Words, changed: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    from verglas.scheduler.live.plan import options_like, read_profile

    base: dict[str, dict[str, str]] = {}
    if parsed.has("--like"):
        base = options_like(Project.open(parsed.text("--like")))
    elif parsed.has("--profile"):
        base = read_profile(parsed.text("--profile"))
    for folder, values in changed.items():
        base[folder] = {**base.get(folder, {}), **values}
    return base


def _save_profile(parsed: Words, options: dict[str, dict[str, str]]) -> None:
    from verglas.scheduler.live.plan import write_profile

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
    from verglas.jobs.live_intake import NEEDED, some_movies
    from verglas.jobs.live_sanity import Stated, check_inputs

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


def _wake(project: Project, folder: LiveFolder) -> None:
    """See that a process works on the session, and go on when it does."""
    from verglas.scheduler.supervisor import ensure_supervisor

    ensure_supervisor(project.root)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        owner = folder.owner()
        if owner is not None and owner.is_alive():
            return
        time.sleep(0.1)
    raise CommandError(f"nothing works on {folder.name} after 30 s; see .verglas/scheduler.log")


def _work(words: list[str]) -> int:
    """What the supervisor starts."""
    from verglas.scheduler.live.order import LiveFolder

    project = Project.open()
    os.chdir(project.root)
    return _run(project, LiveFolder(project.root, words[0]), supervised=True)


def _run(project: Project, folder: LiveFolder, *, supervised: bool) -> int:
    from verglas.scheduler.live.session import LiveSession

    return LiveSession(project, folder, supervised=supervised).run()


def _folder(words: Sequence[str]) -> LiveFolder:
    from verglas.scheduler.live.order import OVER, LiveFolder, all_sessions

    project = Project.open()
    os.chdir(project.root)
    if words:
        folder = LiveFolder(project.root, words[0])
        folder.order()
        return folder
    sessions = all_sessions(project.root)
    if not sessions:
        raise CommandError("there is no live session here; begin with: verglas live start FOLDER")
    at_work = [each for each in sessions if each.phase() not in OVER]
    return (at_work or sessions)[-1]


def _steered(words: Sequence[str]) -> tuple[list[str], LiveFolder]:
    """The words without `--session NAME`, and the session that is meant: that one, or the newest at work."""
    rest, names = list(words), []
    while "--session" in rest:
        at = rest.index("--session")
        if at + 1 == len(rest):
            raise CommandError("--session needs the name of a live session")
        names = [rest[at + 1]]
        del rest[at : at + 2]
    return rest, _folder(names)


def _status(words: list[str]) -> int:
    from verglas.scheduler.live.status import read_status

    parsed = split_words(words, {"--json": False, "--watch": False, "--files": False})
    folder = _folder(parsed.positional)
    if parsed.has("--json"):
        print(json.dumps(asdict(read_status(folder))))
        return 0
    if parsed.has("--watch"):
        from verglas.cli.live_display import watch

        return watch(folder)
    _print_status(folder, parsed.has("--files"))
    return 0


def _print_status(folder: LiveFolder, files: bool) -> None:
    from verglas.scheduler.live.status import read_status

    status = read_status(folder)
    print(f"{status.name}: {status.line}")
    for stage in status.stages:
        print(
            f"  {stage.job:<22} {stage.done} done, {stage.in_hand} in hand, {stage.waiting} waiting, "
            f"{stage.aside} set aside, {stage.mean_s:.2f} s each"
        )
    for device, state in status.devices.items():
        print(f"  {device:<22} {state}")
    for problem in status.problems:
        print(f"  WARNING: {problem}")
    for each in status.newest:
        if each.aside:
            print(f"  set aside: {each.name}: {each.aside}")
    for name, why in status.not_taken if files else status.not_taken[:5]:
        print(f"  not taken: {name}: {why}")


def _wish(what: str) -> Callable[[list[str]], int]:
    def command(words: list[str]) -> int:
        from verglas.scheduler.live.order import FINISHED, OVER, RUNNING

        parsed = split_words(words, {"--wait": False})
        folder = _folder(parsed.positional)
        phase = folder.phase()
        if what != "run" and phase in OVER:
            raise CommandError(f"{folder.name} is {phase}; go on with: verglas live resume")
        folder.wish(what)
        if phase in OVER:
            folder.set_phase(RUNNING)
        if what != "stop":
            _wake(Project.open(), folder)
        print(f"{folder.name} was asked to {'go on' if what == 'run' else what}")
        while parsed.has("--wait") and folder.phase() not in (FINISHED, *OVER):
            time.sleep(0.5)
        return 0

    return command


def _set(words: list[str]) -> int:
    from verglas.scheduler.live.change import change_settings

    words, folder = _steered(words)
    parsed = split_words(words, {"--for": True})
    values: dict[str, dict[str, str]] = {}
    for word in parsed.positional:
        _put(values, word)
    if not values:
        raise CommandError(
            "say what to change: verglas live set AutoPick.log_diam_max=150 --for all"
        )
    for line in change_settings(Project.open(), folder, values, parsed.text("--for", "new")):
        print(line)
    return 0


def _thresholds(words: list[str]) -> int:
    from verglas.scheduler.live.change import change_thresholds, thresholds_now

    words, folder = _steered(words)
    if words:
        for line in change_thresholds(Project.open(), folder, " ".join(words)):
            print(line)
    for line in thresholds_now(Project.open(), folder):
        print(line)
    return 0


def _verdict(verdict: str) -> Callable[[list[str]], int]:
    def command(words: list[str]) -> int:
        from verglas.scheduler.live.change import give_verdict

        words, folder = _steered(words)
        parsed = split_words(words, {"--why": True})
        if not parsed.positional:
            raise CommandError("name the micrographs (by number, name, or a part of it)")
        for line in give_verdict(folder, parsed.positional, verdict, parsed.text("--why")):
            print(line)
        return 0

    return command


def _try(words: list[str]) -> int:
    from verglas.scheduler.live.trial import try_movies

    words, folder = _steered(words)
    words, changed = _settings(words)
    parsed = split_words(words, {"--device": True, "--json": False})
    if not 1 <= len(parsed.positional) <= MOST_ON_TRIAL:
        raise CommandError(
            f"name one to {MOST_ON_TRIAL} micrographs (by number, name, or a part of it)"
        )
    device = parsed.text("--device", "cpu")
    trials = try_movies(Project.open(), folder, parsed.positional, changed, device)
    if parsed.has("--json"):
        print(json.dumps([asdict(trial) for trial in trials]))
        return 0
    for trial in trials:
        print("\n".join(trial.lines))
    return 0


def _classes(words: list[str]) -> int:
    from verglas.scheduler.live.classes import ClassState, choose_classes
    from verglas.scheduler.live.templates import pick_with_classes

    words, folder = _steered(words)
    project = Project.open()
    parsed = split_words(words, {"--choose": True, "--templates": False, "--for": True})
    if parsed.has("--choose"):
        numbers = [int(word) for word in parsed.text("--choose").split(",")]
        print("\n".join(choose_classes(project, folder, numbers)))
    if parsed.has("--templates"):
        print("\n".join(pick_with_classes(project, folder, parsed.text("--for", "new"))))
    state = ClassState.read(folder)
    print(
        f"classes: {state.state}, {state.updates} updates, {state.particles} particles, {state.averages}"
    )
    if state.chosen:
        print(f"chosen: {','.join(map(str, state.chosen))}; {state.lost} found no counterpart")
    return 0


def _again(words: list[str]) -> int:
    from verglas.scheduler.live.change import try_again

    words, folder = _steered(words)
    for line in try_again(folder, words):
        print(line)
    return 0


def _snapshot(words: list[str]) -> int:
    from verglas.scheduler.live.snapshot import take_snapshot

    words, folder = _steered(words)
    parsed = split_words(words, {})
    if len(parsed.positional) != 1:
        raise CommandError("name the snapshot: verglas live snapshot friday")
    for line in take_snapshot(Project.open(), folder, parsed.positional[0]):
        print(line)
    return 0


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "start": _start, "status": _status, "pause": _wish("pause"), "resume": _wish("run"),
    "finish": _wish("finish"), "stop": _wish("stop"), "set": _set, "thresholds": _thresholds,
    "accept": _verdict("accept"), "reject": _verdict("reject"), "forget": _verdict(""), "try": _try,
    "again": _again, "classes": _classes, "snapshot": _snapshot, "work": _work,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(sys.argv))
