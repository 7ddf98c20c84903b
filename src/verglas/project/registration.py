"""Entering jobs into the project: numbers, settings, expected outputs, edges (pipeline.md §3.1).

Nothing here needs a file to exist: names are enough, so a chain can be built before its first movie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from verglas.formats.atomic import atomic_write
from verglas.jobs.contract.base import Job
from verglas.jobs.contract.control_files import JOB_PIPELINE, JOB_STAR, PIPELINE_BACKUP
from verglas.jobs.contract.nodes import Node
from verglas.jobs.contract.options import JobOptions
from verglas.jobs.registry import job_class
from verglas.project.dialect import PROCESS_TYPES, Dialect, Status, process_code
from verglas.project.graph import Graph, GraphNode, Process
from verglas.project.job_star import JobSettings, read_settings, write_job_star
from verglas.project.names import job_name, owner_of, without_alias
from verglas.project.pipeline_file import pipeline_bytes
from verglas.project.project import PIPELINE, Project


class RefusedJob(ValueError):
    """The settings cannot be run; the message lists every complaint."""


class ForeignJob(LookupError):
    """A job of a type that verglas cannot run (it can be listed, noted, deleted)."""


@dataclass(frozen=True)
class LoadedJob:
    """A job's class and options, as its directory says."""

    name: str
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
    complaints = job.check(options)
    if complaints:
        raise RefusedJob(f"{job.type.title}: " + "; ".join(complaints))
    with project.change(f"register {job.type.folder}") as graph:
        if name is None:
            name = job_name(job.type.folder, graph.counter)
            graph.counter += 1
            graph.processes[name] = _new_process(graph.dialect, job, name)
        (project.root / name).mkdir(parents=True, exist_ok=True)
        if status is not Status.RUNNING:  # settings of a running job: its state is its own
            project.directory(name).clear_exit()
        graph.set_status(name, status)
        _connect_inputs(project, graph, name, options)
        _connect_outputs(graph, name, job.expected_outputs(options, name))
        dialect = graph.dialect
        write_settings(project, name, job, options, is_continue, dialect)
        _write_part(project.root / name / JOB_PIPELINE, graph, name)
    backup_pipeline(project, name)
    return name


def write_settings(
    project: Project,
    name: str,
    job: type[Job],
    options: JobOptions,
    is_continue: bool,
    dialect: Dialect,
) -> None:
    """The job's job.star, and the hidden file with the type's last used settings."""
    kind = str(dialect.process_text(job.type.label, job.type.code))
    settings = JobSettings(kind, options.texts(), is_continue)
    write_job_star(project.root / name / JOB_STAR, settings, dialect)
    fresh = replace(settings, is_continue=False)
    write_job_star(project.root / job.type.settings_file, fresh, dialect)


def backup_pipeline(project: Project, name: str) -> None:
    """RELION's copy of the whole pipeline in the directory of the job that changed it last."""
    data = (project.root / PIPELINE).read_bytes()
    with atomic_write(project.root / name / PIPELINE_BACKUP, durable=False) as out:
        out.write(data)


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


def _connect_inputs(project: Project, graph: Graph, name: str, options: JobOptions) -> None:
    """Edges from the inputs; an unknown one is also entered as output of the job it lies in."""
    graph.inputs = [edge for edge in graph.inputs if edge[1] != name]
    for text, kind in options.input_names():
        node = without_alias(project.root, text)
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
    unused = {
        old for old in graph.outputs_of(name) if old not in wanted and not graph.users_of(old)
    }
    graph.drop_nodes(unused)
    add_outputs(graph, name, expected)


def _write_part(path: Path, graph: Graph, name: str) -> None:
    part = graph.part(name)
    part.counter = 2  # what RELION writes: one job, so the next number is 2
    with atomic_write(path) as out:
        out.write(pipeline_bytes(part))


def _keys_for_labels(job: type[Job], texts: dict[str, str]) -> dict[str, str]:
    keys = {info.label.strip(): key for key, info in job.Options.infos().items()}
    return {keys.get(label, label): value for label, value in texts.items()}
