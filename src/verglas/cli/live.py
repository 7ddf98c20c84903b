"""`verglas live`: every movie flows through the chain as it arrives."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, complain, split_words
from verglas.cli.live_start import put_setting, run_here, start, take_settings
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder

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
  the map:                --three-d off|auto|on (auto: when the 2D classes allow it) --map-from 3000 (good
                          particles) --sym D7 (if it is known; else it is proposed, and confirmed by you)
verglas live status [NAME] [--json] [--watch] [--files]
verglas live pause | resume | finish | stop [NAME]      finish: drain, last 2D, report
verglas live set JOB.option=value ... [--for new|all|12-40]     new options while it runs; edited picks are
                          kept, or laid aside (--edited-aside) where they cannot fit any more
verglas live thresholds ['LIMITS']        show or change the limits; what depends is done again
verglas live accept | reject MICROGRAPH ... [--why TEXT] | forget MICROGRAPH ...    a person's verdict
verglas live classes [--choose 1,4,7] [--templates [--for new|all]]   chosen classes; pick with them
verglas live map [--confirm D7 | --accept | --again | --off | --on | --auto] [--json]   the map: its state, and what
                          you say of it: its symmetry, to go on with a doubtful one, or to make another
verglas live map --templates [--for new|all] [--anyway]   pick with its projections, if a trial finds more with them
verglas live again [MOVIE ...]            try failed movies again; extract again where picks were edited
verglas live try MICROGRAPH ... --set JOB.option=value ...   trial of up to six; changes nothing
verglas live snapshot NAME                freeze accepted micrographs and particles as Select jobs
these commands steer the newest session at work; --session NAME another one"""
MOST_ON_TRIAL = 6


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a failure."""
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    from verglas.scheduler.live.record.order import SessionTaken
    from verglas.scheduler.live.requests.facts import NothingFound

    command = rest[0]
    if command not in _COMMANDS:
        return complain("live", CommandError(f"no command {command!r}; verglas live --help"))
    try:
        return _COMMANDS[command](rest[1:])
    except (CommandError, NothingFound, SessionTaken, LookupError, ValueError, OSError) as error:
        return complain(f"live {command}", error)


def _work(words: list[str]) -> int:
    """What the supervisor starts."""
    from verglas.scheduler.live.record.order import LiveFolder

    project = Project.open()
    os.chdir(project.root)
    return run_here(project, LiveFolder(project.root, words[0]), supervised=True)


def _folder(words: Sequence[str]) -> LiveFolder:
    from verglas.scheduler.live.record.order import OVER, LiveFolder, all_sessions

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
    from verglas.scheduler.live.record.status import read_status

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
    from verglas.scheduler.live.record.answer_lines import answer_lines
    from verglas.scheduler.live.record.status import read_status

    status = read_status(folder)
    print(f"{status.name}: {status.line}")
    for stage in status.stages:
        print(
            f"  {stage.job:<22} {stage.done} done, {stage.in_hand} in hand, {stage.waiting} waiting, "
            f"{stage.aside} set aside, {stage.mean_s:.2f} s each"
        )
    for line in filter(None, (status.classes_line, status.map_line)):
        print(f"  {line}")
    for line in answer_lines(folder):
        print(f"  {line}")
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
        from verglas.scheduler.live.record.order import FINISHED, OVER
        from verglas.scheduler.live.requests.beginning import ask, wake

        parsed = split_words(words, {"--wait": False})
        folder = _folder(parsed.positional)
        project = Project.open()
        told = ask(project, folder, what)
        if what != "stop":
            wake(project, folder)
        print(told)
        while parsed.has("--wait") and folder.phase() not in (FINISHED, *OVER):
            time.sleep(0.5)
        return 0

    return command


def _set(words: list[str]) -> int:
    from verglas.scheduler.live.requests.stage_changes import change_settings

    words, folder = _steered(words)
    parsed = split_words(words, {"--for": True, "--edited-aside": False})
    values: dict[str, dict[str, str]] = {}
    for word in parsed.positional:
        put_setting(values, word)
    if not values:
        raise CommandError("say what to change: verglas live set AutoPick.log_diam_max=150 --for all")
    scope, aside = parsed.text("--for", "new"), parsed.has("--edited-aside")
    for line in change_settings(Project.open(), folder, values, scope, edited_aside=aside):
        print(line)
    return 0


def _thresholds(words: list[str]) -> int:
    from verglas.scheduler.live.requests.limits import change_thresholds, thresholds_now

    words, folder = _steered(words)
    if words:
        for line in change_thresholds(Project.open(), folder, " ".join(words)):
            print(line)
    for line in thresholds_now(Project.open(), folder):
        print(line)
    return 0


def _verdict(verdict: str) -> Callable[[list[str]], int]:
    def command(words: list[str]) -> int:
        from verglas.scheduler.live.requests.verdicts import give_verdict

        words, folder = _steered(words)
        parsed = split_words(words, {"--why": True})
        if not parsed.positional:
            raise CommandError("name the micrographs (by number, name, or a part of it)")
        for line in give_verdict(folder, parsed.positional, verdict, parsed.text("--why")):
            print(line)
        return 0

    return command


def _try(words: list[str]) -> int:
    from verglas.scheduler.live.requests.trial import try_movies

    words, folder = _steered(words)
    words, changed = take_settings(words)
    parsed = split_words(words, {"--device": True, "--json": False})
    if not 1 <= len(parsed.positional) <= MOST_ON_TRIAL:
        raise CommandError(f"name one to {MOST_ON_TRIAL} micrographs (by number, name, or a part of it)")
    device = parsed.text("--device", "cpu")
    trials = try_movies(Project.open(), folder, parsed.positional, changed, device)
    if parsed.has("--json"):
        print(json.dumps([asdict(trial) for trial in trials]))
        return 0
    for trial in trials:
        print("\n".join(trial.lines))
    return 0


def _classes(words: list[str]) -> int:
    from verglas.cli.live_particles import live_classes

    words, folder = _steered(words)
    return live_classes(words, folder)


def _map(words: list[str]) -> int:
    from verglas.cli.live_particles import live_map

    words, folder = _steered(words)
    return live_map(words, folder)


def _again(words: list[str]) -> int:
    from verglas.scheduler.live.requests.verdicts import try_again

    words, folder = _steered(words)
    for line in try_again(folder, words):
        print(line)
    return 0


def _snapshot(words: list[str]) -> int:
    from verglas.scheduler.live.requests.snapshot import take_snapshot

    words, folder = _steered(words)
    parsed = split_words(words, {})
    if len(parsed.positional) != 1:
        raise CommandError("name the snapshot: verglas live snapshot friday")
    for line in take_snapshot(Project.open(), folder, parsed.positional[0]):
        print(line)
    return 0


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "start": start,
    "status": _status,
    "pause": _wish("pause"),
    "resume": _wish("run"),
    "finish": _wish("finish"),
    "stop": _wish("stop"),
    "set": _set,
    "thresholds": _thresholds,
    "accept": _verdict("accept"),
    "reject": _verdict("reject"),
    "forget": _verdict(""),
    "try": _try,
    "again": _again,
    "classes": _classes,
    "map": _map,
    "snapshot": _snapshot,
    "work": _work,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv))
