"""Noticing how running jobs ended: exit files, and processes that are gone (pipeline.md §2.3)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from verglas.formats.star import StarError, read_star
from verglas.jobs.contract.control_files import OUTPUT_NODES
from verglas.project.dialect import Status
from verglas.project.graph import Graph, GraphNode
from verglas.project.job_directory import JobDirectory, JobOutcome, RunRecord
from verglas.project.pipeline_file import NODE, NODE_DEPTH, NODE_TYPE, NODE_TYPE_LABEL
from verglas.project.project import Project
from verglas.project.rounds import recover


@dataclass(frozen=True)
class Ended:
    """A job found to have ended, and what there is to say about it."""

    name: str
    status: Status
    messages: tuple[str, ...] = ()
    outcome: JobOutcome | None = None  # where the job left none itself: entered in its place


InQueue = Callable[[RunRecord], bool | None]  # is it still in its queue? None: cannot be told


def check_completion(project: Project, in_queue: InQueue | None = None) -> list[Ended]:
    """Look at every running job and record those that ended; costs nothing while none did.

    `in_queue` asks a batch queue; without it, queued jobs are judged by their exit files alone.
    """
    found = find_ends(project, in_queue)
    if found:
        record_ends(project, found)
    return found


def find_ends(project: Project, in_queue: InQueue | None = None) -> list[Ended]:
    """Running jobs that have ended, as their directories and processes tell; nothing is recorded."""
    graph = project.graph()
    running = [name for name, each in graph.processes.items() if each.status is Status.RUNNING]
    return [ended for name in running if (ended := _look(project, name, in_queue)) is not None]


def record_ends(project: Project, ends: list[Ended]) -> None:
    """Write the new states, add the outputs that became known, show all outputs in Browse."""
    with project.change("jobs ended") as change:
        graph = change.graph
        for ended in ends:
            if ended.name not in graph.processes:
                continue
            if ended.outcome is not None:
                change.end(ended.name, ended.status, ended.outcome)
            graph.set_status(ended.name, ended.status)
            if ended.status is Status.SUCCEEDED:
                add_declared_outputs(project, graph, ended.name)
                change.show(graph.outputs_of(ended.name))


def missing_outputs(project: Project, graph: Graph, name: str) -> list[str]:
    """Expected outputs that are not on disc."""
    return [node for node in graph.outputs_of(name) if not project.exists(node)]


def add_declared_outputs(project: Project, graph: Graph, name: str) -> None:
    """Nodes of RELION_OUTPUT_NODES.star whose name is not known yet."""
    path = project.root / name / OUTPUT_NODES
    try:
        table = read_star(path).get("output_nodes")
    except (OSError, StarError):
        return
    if table is None:
        return
    names = table.strings(NODE)
    kinds = table.strings(NODE_TYPE_LABEL if NODE_TYPE_LABEL in table else NODE_TYPE)
    depths = table.strings(NODE_DEPTH) if NODE_DEPTH in table else ["1"] * len(names)
    for node, kind, depth in zip(names, kinds, depths):
        if node not in graph.nodes:
            graph.nodes[node] = GraphNode(node, kind, depth)
        if graph.producer_of(node) is None:
            graph.outputs.append((name, node))


def _look(project: Project, name: str, in_queue: InQueue | None) -> Ended | None:
    directory = project.directory(name)
    status = directory.exit_status()
    if status is None and _is_gone(directory, in_queue):
        # the exit file may have been written between the two looks
        status = directory.exit_status()
        if status is None:
            return _died(project, name)
    if status is None:
        return None
    if status is Status.SUCCEEDED:
        missing = missing_outputs(project, project.graph(), name)
        return Ended(name, status, tuple(f"expected output {each} does not exist" for each in missing))
    outcome = directory.outcome()
    return Ended(name, status, (outcome.reason,) if outcome and outcome.reason else ())


def _is_gone(directory: JobDirectory, in_queue: InQueue | None) -> bool:
    record = directory.record()
    if record is not None and record.queue_id:
        return in_queue is not None and in_queue(record) is False
    return directory.is_running() is False


def _died(project: Project, name: str) -> Ended:
    """A process that vanished without a status file: killed, crashed, or the machine went down."""
    directory = project.directory(name)
    with suppress(OSError):  # a disc that cannot be written: later
        if recover(directory.path):  # its result was complete, only the names had to change over
            return Ended(name, Status.SUCCEEDED, (), JobOutcome("succeeded"))
    record = directory.record()
    who = record.owner.shown if record else "its process"
    if record is not None and record.queue_id:
        who = f"job {record.queue_id} of the queue"
    reason = f"killed: {who} is gone and left no status"
    words = directory.last_words(3)
    if words:
        reason += f"; its last words: {words}"
    return Ended(name, Status.FAILED, (reason,), JobOutcome("killed", reason))
