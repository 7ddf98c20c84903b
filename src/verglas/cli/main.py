"""`verglas COMMAND ...`: finds the module of a command and calls its `main(words) -> exit code`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from verglas import __version__
from verglas.compute.quiet_threads import let_waiting_threads_sleep

INTERRUPTED = 130  # what shells say of Ctrl-C
RUNNING_FILES, LIVE_ORDERS = "RUNNING_PIPELINER_*", ".verglas/live/*/order.json"

# command -> (module, one line of help); imported only when called, so that --help costs nothing
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("verglas.cli.demo", "simulate a session and process it, scheduled, in two rounds"),
    "new": ("verglas.cli.project", "make a project directory"),
    "status": ("verglas.cli.project", "what the project's jobs are doing"),
    "nodes": ("verglas.cli.project", "outputs that can be used as inputs, existing and expected"),
    "repair": ("verglas.cli.project", "bring back what a cut pipeline file lacks"),
    "unlock": ("verglas.cli.project", "remove a lock that a dead program left behind"),
    "job": ("verglas.cli.job", "add, run, schedule, continue, list, show, abort, delete ... jobs"),
    "run": ("verglas.cli.run", "run the job of a job directory (what the scheduler starts)"),
    "autorun": ("verglas.cli.autorun", "run the scheduled jobs, once or repeatedly"),
    "gui": ("verglas.cli.gui", "the pages: see and steer projects in a browser"),
    "live": ("verglas.cli.live", "treat movies as they arrive, without rounds"),
    "optics": ("verglas.cli.optics", "optics groups from beam shifts, for any STAR file"),
    "handover": ("verglas.cli.handover", "a self-contained copy for RELION or cryoSPARC"),
    "ingest": ("verglas.cli.ingest", "copy movies from the microscope, complete and verified"),
    "scheme": ("verglas.cli.scheme", "run RELION's Schemes: jobs, operators, forks"),
    "service": ("verglas.cli.service", "start again after a reboot (systemd or cron)"),
    "alarm": ("verglas.cli.alarm", "who is told when something stops"),
    "events": ("verglas.cli.autorun", "what happened in this project, by time"),
    "gain": ("verglas.cli.gain", "estimate a gain reference from movies, or find how one lies"),
    "simulate": ("verglas.cli.simulate", "simulated particles, micrographs, movies, sessions"),
    "doctor": ("verglas.cli.doctor", "check Python, torch, GPUs, MPI and this file system"),
    "star": ("verglas.cli.star", "operations on STAR files"),
    "image": ("verglas.cli.image", "operations on images and maps"),
    "expand": ("verglas.cli.handler", "every particle once for each of its symmetry mates"),
    "align_symmetry": ("verglas.cli.handler", "a map laid on its symmetry axes, or its symmetry proposed"),
    "helix": ("verglas.cli.handler", "the helical symmetry of a map: measured, imposed"),
    "directions": ("verglas.cli.handler", "resolution by direction; coverage by the views"),
    "halves": ("verglas.cli.handler", "check: is anything in both halves of a refinement?"),
    "reconstruct": ("verglas.cli.handler", "a map of particles whose orientations are known"),
    "project": ("verglas.cli.handler", "projections of a map"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Entry point of the `verglas` command; returns the exit code (0 good, 1 failure, 2 abort)."""
    arguments = list(sys.argv[1:] if words is None else words)
    let_waiting_threads_sleep()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `verglas nodes | head`: whoever read us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        print("", file=sys.stderr)
        return INTERRUPTED
    _revive(arguments)
    return code


def _revive(arguments: list[str]) -> None:
    """What is wanted in this project and has lost its processes goes on, whatever was typed."""
    if arguments[:1] == ["run"] or arguments[1:2] in (["work"], ["supervise"]):
        return  # these are the processes
    here = Path()
    if not any(here.glob(RUNNING_FILES)) and not any(here.glob(LIVE_ORDERS)):
        return
    from verglas.scheduler.supervisor import revive

    try:
        for name in revive(here.resolve()):
            print(f"verglas: nobody worked on {name} any more; it goes on now", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"verglas: what runs here by itself cannot be looked after: {error}", file=sys.stderr)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        print(f"verglas {__version__}")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command in COMMANDS:
        called: int = import_module(COMMANDS[command][0]).main([command, *rest])
        return called
    if command == "autopick" and rest[:1] == ["train"]:
        trained: int = import_module("verglas.cli.autopick_train").main(rest[1:])
        return trained
    from verglas.jobs.registry import PROGRAMS

    if command in PROGRAMS:
        from verglas.cli.program import run_program

        return run_program(command, rest)
    print(f"verglas: no command {command!r}; verglas --help lists them", file=sys.stderr)
    return 1


def _help() -> str:
    from verglas.jobs.registry import PROGRAMS

    lines = [f"verglas {__version__}", "", "commands:"]
    lines += [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    lines += ["", "programs (RELION's flags; --help for each): " + ", ".join(sorted(PROGRAMS))]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
