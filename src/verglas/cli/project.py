"""`verglas new | status | nodes | unlock`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from verglas.cli.arguments import CommandError, complain, split_words
from verglas.formats.star import StarError

_HELP = {
    "new": "verglas new [DIR] [--dialect 3.1|4|5] [--data-root DIR]   make a project directory (RELION's "
    "layout); --data-root: movies outside it that the pages may show",
    "status": "verglas status [--json]   what the project's jobs are doing",
    "nodes": "verglas nodes [--type particles] [--json]   what can be chosen as an input",
    "repair": "verglas repair [--as-it-is]   bring back the jobs and edges that a cut default_pipeline.star lacks, "
    "or take the file as it is; the cut file stays as default_pipeline.star.cut",
    "unlock": "verglas unlock   remove the project lock that a dead program left behind",
}


def main(words: Sequence[str]) -> int:
    """One of the four commands; returns the exit code."""
    command, rest = words[0], list(words[1:])
    if "--help" in rest or "-h" in rest:
        print(_HELP[command])
        return 0
    try:
        return {"new": _new, "status": _status, "nodes": _nodes, "unlock": _unlock, "repair": _repair}[
            command
        ](rest)
    except (CommandError, KeyError, ValueError, OSError, StarError) as error:
        return complain(command, error)


def _new(words: list[str]) -> int:
    from verglas.project.dialect import DIALECTS
    from verglas.project.project import Project

    parsed = split_words(words, {"--dialect": True, "--data-root": True})
    name = parsed.text("--dialect", "3.1")
    if name not in DIALECTS:
        raise CommandError(f"--dialect {name}: known are {', '.join(DIALECTS)}")
    project = Project.create(parsed.positional[0] if parsed.positional else ".", DIALECTS[name])
    print(f"project directory: {project.root}")
    if parsed.has("--data-root"):
        from verglas.project.data_roots import add_data_root

        print(f"its pages may also show: {add_data_root(project, parsed.text('--data-root'))}")
    return 0


def _status(words: list[str]) -> int:
    from verglas.project.project import Project
    from verglas.project.summary import job_summaries

    parsed = split_words(words, {"--json": False})
    project = Project.open()
    jobs = job_summaries(project, _in_queue)
    if parsed.has("--json"):
        print(json.dumps([job.as_dict() for job in jobs]))
        return 0
    for title in ("Running", "Scheduled", "Finished"):
        chosen = [job for job in jobs if job.list_title == title]
        print(f"{title} jobs: {len(chosen)}")
        for job in chosen:
            print(f"  {job.line}")
    for line in [*_unattended(project.root), *_answers(project.root)]:
        print(line)
    return 0


def _unattended(root: Path) -> list[str]:
    """Schedules and live sessions that are to run, and whether somebody works on them."""
    if not (root / ".verglas").is_dir():
        return []
    from verglas.scheduler.supervisor import wanted_work

    return [f"{folder.name}: {folder.lease.absence() or 'at work'}" for folder in wanted_work(root)]


def _answers(root: Path) -> list[str]:
    """The map of the newest live session that has one, and what it says."""
    if not (root / ".verglas" / "live").is_dir():
        return []
    from verglas.scheduler.live.record.answer_lines import answer_lines
    from verglas.scheduler.live.record.map_state import MapState, map_line
    from verglas.scheduler.live.record.order import all_sessions, read_json

    for folder in reversed(all_sessions(root)):
        if line := map_line(read_json(MapState.file(folder))):
            return [f"{folder.name}: {each}" for each in (line, *answer_lines(folder))]
    return []


def _nodes(words: list[str]) -> int:
    from verglas.project.browse import browse, node_type_named
    from verglas.project.project import Project

    parsed = split_words(words, {"--type": True, "--json": False})
    kind = node_type_named(parsed.text("--type")) if parsed.has("--type") else None
    offers = browse(Project.open(), kind)
    if parsed.has("--json"):
        print(json.dumps([{**vars_of(offer), "expected": offer.expected} for offer in offers]))
        return 0
    for offer in offers:
        print(f"{offer.name}  ({offer.type_name}{', expected' if offer.expected else ''})")
    return 0


def _repair(words: list[str]) -> int:
    from verglas.project.project import Project

    parsed = split_words(words, {"--as-it-is": False})
    project = Project.open()
    as_it_is = parsed.has("--as-it-is")
    for what in project.repair(as_it_is=as_it_is):
        print(f"{what}: {'given up' if as_it_is else 'brought back'}")
    return 0


def _unlock(words: list[str]) -> int:
    from verglas.project.lock import break_lock
    from verglas.project.project import Project

    split_words(words, {})
    holder = break_lock(Project.open().root)
    print(f"the lock of {holder} was removed" if holder else "the project is not locked")
    return 0


def _in_queue(record: object) -> bool | None:
    """Ask the queue, without importing the scheduler for projects that use none."""
    from verglas.scheduler.queue_state import ask

    return ask(record)  # type: ignore[arg-type]


def vars_of(offer: object) -> dict[str, object]:
    """Fields of a frozen dataclass."""
    from dataclasses import asdict

    return asdict(offer)  # type: ignore[call-overload]
