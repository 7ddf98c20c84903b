"""Entering jobs into the project: numbers, settings, expected outputs, edges (pipeline.md §3.1).

Nothing here needs a file to exist: names are enough, so a chain can be built before its first movie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from verglas.jobs.contract.base import Job
from verglas.jobs.contract.control_files import JOB_PIPELINE, JOB_STAR
from verglas.jobs.contract.nodes import Node
from verglas.jobs.contract.options import JobOptions
from verglas.jobs.registry import job_class
from verglas.project.change import Change
from verglas.project.dialect import PROCESS_TYPES, Dialect, Status, process_code
from verglas.project.graph import Graph, GraphNode, Process
from verglas.project.job_directory import JobDirectory
from verglas.project.job_star import JobSettings, job_star_bytes, read_settings
from verglas.project.names import job_name, owner_of, without_alias
from verglas.project.owner import Owner
from verglas.project.pipeline_file import pipeline_bytes
from verglas.project.project import Project


class RefusedJob(ValueError):
    """The settings cannot be run; the message lists every complaint."""


class ForeignJob(LookupError):
    """A job of a type that verglas cannot run (it can be listed, noted, deleted)."""


@dataclass(frozen=True)
class LoadedJob:
    """A job's class and options, as its directory says or as somebody asks for."""

    name: str  # "" for a job that is not entered yet
    job: type[Job]
    options: JobOptions
    is_continue: bool
    warnings: tuple[str, ...] = ()


def class_for(type_text: str) -> type[Job]:
    """The job class for a code, label or folder. Raises ForeignJob."""
    code = process_code(type_text)
    for known, folder, _ in PROCESS_TYPES:
        if known == code:
            try:
                found = job_class(folder)
            except KeyError:
                break
            if found.type.code == code:
                return found
    try:
        return job_class(type_text)
    except KeyError:
        raise ForeignJob(f"jobs of type {type_text} are not known to verglas") from None


def load_job(project: Project, name: str) -> LoadedJob:
    """Class and options of a registered job. Raises ForeignJob, OptionError, FileNotFoundError."""
    settings = read_settings(project.root / name)
    job = class_for(settings.type_text)
    texts = dict(settings.options)
    if settings.by_label:
        texts = _keys_for_labels(job, texts)
    options, warnings = job.Options.parse(texts)
    return LoadedJob(name, job, options, settings.is_continue, tuple(warnings))


def register(
    project: Project,
    job: type[Job],
    options: JobOptions,
    *,
    status: Status = Status.SCHEDULED,
    name: str | None = None,
    is_continue: bool = False,
) -> str:
    """Enter a new job (or new settings of job `name`) and return its name.

    Raises RefusedJob with the complaints of the type's own check, KeyError for an unknown name.
    """
    check_options(job, options)
    with project.change(f"register {job.type.folder}") as change:
        if status is Status.SCHEDULED:
            refuse_running(change, name)
        return enter(change, job, options, status=status, name=name, is_continue=is_continue)


def refuse_running(change: Change, name: str | None) -> None:
    """Raises RefusedJob if another process works on the job."""
    process = change.graph.processes.get(name or "")
    directory = JobDirectory(change.root / (name or ""))
    if process is None or process.status is not Status.RUNNING or not directory.is_running():
        return
    record = directory.record()
    if record is not None and record.owner != Owner.this_process():
        raise RefusedJob(f"{name} is being run by {record.owner.shown}: abort it first")


def check_options(job: type[Job], options: JobOptions) -> None:
    """Raises RefusedJob with the complaints of the type's own check."""
    complaints = job.check(options)
    if complaints:
        raise RefusedJob(f"{job.type.title}: " + "; ".join(complaints))


def enter(
    change: Change,
    job: type[Job],
    options: JobOptions,
    *,
    status: Status = Status.SCHEDULED,
    name: str | None = None,
    is_continue: bool = False,
) -> str:
    """`register`, as a part of a change that does more. The options were checked."""
    graph = change.graph
    if name is None:
        name = job_name(job.type.folder, graph.counter)
        graph.counter += 1
        graph.processes[name] = _new_process(graph.dialect, job, name)
    if status is Status.SCHEDULED:  # otherwise how its last execution ended stays as it is
        change.begin(name)
    graph.set_status(name, status)
    _connect_inputs(change.root, graph, name, options)
    _connect_outputs(graph, name, job.expected_outputs(options, name))
    write_settings(change, name, job, options, is_continue)
    part = graph.part(name)
    part.counter = 2  # what RELION writes: one job, so the next number is 2
    change.write(name + JOB_PIPELINE, pipeline_bytes(part))
    change.back_up_in(name)
    return name


def write_settings(change: Change, name: str, job: type[Job], options: JobOptions, is_continue: bool) -> None:
    """The job's job.star, and the hidden file with the type's last used settings."""
    dialect = change.graph.dialect
    kind = str(dialect.process_text(job.type.label, job.type.code))
    settings = JobSettings(kind, options.texts(), is_continue)
    change.write(name + JOB_STAR, job_star_bytes(settings, dialect))
    fresh = replace(settings, is_continue=False)
    change.write(job.type.settings_file, job_star_bytes(fresh, dialect))


def add_outputs(graph: Graph, name: str, nodes: list[Node]) -> None:
    """Outputs that became known only now; names known already are left alone."""
    for node in nodes:
        if node.name not in graph.nodes:
            graph.nodes[node.name] = GraphNode(node.name, str(graph.dialect.node_text(node)))
        if (name, node.name) not in graph.outputs and graph.producer_of(node.name) is None:
            graph.outputs.append((name, node.name))


def _new_process(dialect: Dialect, job: type[Job], name: str) -> Process:
    kind = str(dialect.process_text(job.type.label, job.type.code))
    return Process(name, kind, str(dialect.status_text(Status.SCHEDULED)))


def _connect_inputs(root: Path, graph: Graph, name: str, options: JobOptions) -> None:
    """Edges from the inputs; an unknown one is also entered as output of the job it lies in."""
    graph.inputs = [edge for edge in graph.inputs if edge[1] != name]
    for text, kind in options.input_names():
        node = without_alias(root, text)
        if node not in graph.nodes:
            graph.nodes[node] = GraphNode(node, str(graph.dialect.node_text(Node(node, kind))))
            producer = owner_of(node)
            if producer in graph.processes:
                graph.outputs.append((producer, node))
        if (node, name) not in graph.inputs:
            graph.inputs.append((node, name))


def _connect_outputs(graph: Graph, name: str, expected: list[Node]) -> None:
    """Expected outputs follow the settings; a name that other jobs use stays as their input."""
    wanted = {node.name for node in expected}
    unused = {old for old in graph.outputs_of(name) if old not in wanted and not graph.users_of(old)}
    graph.drop_nodes(unused)
    add_outputs(graph, name, expected)


def _keys_for_labels(job: type[Job], texts: dict[str, str]) -> dict[str, str]:
    keys = {info.label.strip(): key for key, info in job.Options.infos().items()}
    return {keys.get(label, label): value for label, value in texts.items()}
