"""`verglas autorun`: run the scheduled jobs, once or repeatedly, whether or not anybody watches."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence

from verglas.cli.arguments import CommandError, Words, complain, split_words
from verglas.project.project import Project
from verglas.scheduler.schedule import Order, ScheduleFolder, ScheduleTaken, all_schedules

_HELP = """verglas autorun [JOB ...]        run these jobs, or all scheduled ones, in graph order
  --repeat N                     how many times (asked for on a terminal; 1)
  --min-wait MINUTES             at least, from the start of a round to the next (15)
  --wait-before MINUTES          before the first round (0)
  --name NAME                    of this schedule (schedule1)
  --on-failure stop|retry-next-round|continue
  --keep-rounds N                keep earlier results of jobs that start from scratch
  --foreground                   work here, not detached; the exit code tells how it ended
verglas autorun list             all schedules and how far they are
verglas autorun stop NAME [--abort]   stop within seconds; a job at work ends by itself unless --abort
verglas autorun log NAME         what it did"""
_FLAGS = {
    "--repeat": True,
    "--min-wait": True,
    "--wait-before": True,
    "--name": True,
    "--on-failure": True,
    "--keep-rounds": True,
    "--foreground": False,
}


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a job failed."""
    rest = list(words[1:])
    if words[0] == "events":
        return _events(rest)
    if "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    try:
        if rest and rest[0] in _COMMANDS:
            return _COMMANDS[rest[0]](rest[1:])
        return _start(rest)
    except (CommandError, KeyError, ValueError, OSError, ScheduleTaken) as error:
        return complain("autorun", error)


def _start(words: list[str]) -> int:
    from verglas.scheduler.supervisor import begin_work, is_looked_after

    parsed = split_words(words, _FLAGS)
    project = Project.open()
    order = _order(project, parsed)
    folder = ScheduleFolder(project.root, order.name)
    if folder.is_wanted and is_looked_after(folder):
        raise ScheduleTaken(
            f"a schedule {order.name} is running; stop it (verglas autorun stop {order.name}) "
            "or give another --name"
        )
    folder.create(order)
    if parsed.has("--foreground"):
        return _work_here(project, folder, foreground=True)
    if not begin_work(folder):
        raise CommandError(f"no scheduler came to life; see {project.root}/.verglas/scheduler.log")
    print(f"schedule {order.name}: {len(order.jobs)} jobs, {order.repeat} times; it goes on without you")
    print(f"  look: verglas autorun log {order.name}     stop: verglas autorun stop {order.name}")
    return 0


def _order(project: Project, parsed: Words) -> Order:
    from verglas.project.dialect import Status

    graph = project.graph()
    if parsed.positional:
        jobs = [graph.process(word).name for word in parsed.positional]
    else:
        jobs = [name for name, each in graph.processes.items() if each.status is Status.SCHEDULED]
    if not jobs:
        raise CommandError("there is no scheduled job; make one with: verglas job schedule TYPE ...")
    repeat = parsed.count("--repeat", 1)
    min_wait = parsed.number("--min-wait", 15)
    if not parsed.has("--repeat") and sys.stdin.isatty():
        repeat = round(_ask("Run the jobs how many times?", 1))
        if repeat > 1 and not parsed.has("--min-wait"):
            min_wait = _ask("Wait at least how many minutes between the starts of rounds?", 15)
    return Order(
        parsed.text("--name", "schedule1"),
        tuple(graph.in_order(jobs)),
        repeat,
        min_wait,
        parsed.number("--wait-before", 0),
        parsed.text("--on-failure", "stop"),
        parsed.count("--keep-rounds", 0),
    )


def _ask(question: str, default: int) -> float:
    """A number typed by a person; an empty line is the default, Ctrl-D is no."""
    while True:
        try:
            answer = input(f"{question} [{default}] ").strip() or str(default)
            value = float(answer)
        except EOFError:
            raise CommandError("nothing was started") from None
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        print(f"{answer!r} is not a number")


def _work_here(project: Project, folder: ScheduleFolder, *, foreground: bool) -> int:
    from verglas.scheduler.autorun import Autorun

    os.chdir(project.root)
    return Autorun(project, folder, echo=foreground, supervised=not foreground).run()


def _work(words: list[str]) -> int:
    """What the supervisor starts."""
    project = Project.open()
    return _work_here(project, ScheduleFolder(project.root, words[0]), foreground=False)


def _supervise(words: list[str]) -> int:
    from verglas.scheduler.supervisor import Supervisor

    if words:  # of systemd or cron, which start it somewhere else
        os.chdir(words[0])
    return Supervisor(Project.open().root).run()


def _list(_words: list[str]) -> int:
    for folder in all_schedules(Project.open().root):
        order, state = folder.order(), folder.progress()
        where = f"round {state.round} of {order.repeat}, {state.phase}"
        if state.in_hand:
            where += f", {state.in_hand}"
        told = (folder.lease.absence() if folder.is_wanted else "") or state.message
        print(f"{folder.name:<20} {where}{': ' + told if told else ''}")
    return 0


def _stop(words: list[str]) -> int:
    from verglas.scheduler.launch import abort

    parsed = split_words(words, {"--abort": False})
    if len(parsed.positional) != 1:
        raise CommandError("name the schedule to stop: verglas autorun stop NAME")
    project = Project.open()
    folder = ScheduleFolder(project.root, parsed.positional[0])
    folder.order()  # raises for a name that does not exist
    folder.stop()
    deadline = time.monotonic() + 10
    while folder.lease.is_held() and time.monotonic() < deadline:
        time.sleep(0.1)
    in_hand = folder.progress().in_hand  # now that no other can be started
    if parsed.has("--abort") and in_hand:
        abort(project, in_hand)
    print(f"schedule {folder.name} was stopped")
    return 0


def _log(words: list[str]) -> int:
    if len(words) != 1:
        raise CommandError("name the schedule: verglas autorun log NAME")
    print(ScheduleFolder(Project.open().root, words[0]).log_file.read_text(), end="")
    return 0


def _events(words: list[str]) -> int:
    """`verglas events [--last N]`: what happened in this project."""
    from verglas.scheduler.events import read_events

    try:
        parsed = split_words(words, {"--last": True, "--json": False, "--help": False})
        if parsed.has("--help"):
            print("verglas events [--last N]   what happened in this project, by time")
            return 0
        for event in read_events(Project.open().root, last=parsed.count("--last", 0) or None):
            place = event.get("job") or event.get("schedule") or ""
            text = str(event.get("text", "")).splitlines()
            print(f"{event['time']}  {event['kind']:<20} {place} {text[0] if text else ''}".rstrip())
    except (CommandError, OSError) as error:
        return complain("events", error)
    return 0


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "list": _list,
    "stop": _stop,
    "log": _log,
    "work": _work,
    "supervise": _supervise,
}
