"""Delete to Trash, undelete, clean (pipeline.md §1.9). Nothing is ever removed for good here."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from pathlib import Path

from verglas.jobs.contract.control_files import JOB_PIPELINE, NO_HARSH_CLEAN
from verglas.jobs.registry import job_type
from verglas.project.dialect import Status
from verglas.project.graph import NO_ALIAS, Graph
from verglas.project.job_directory import JobDirectory
from verglas.project.names import checked_job_name
from verglas.project.pipeline_file import pipeline_bytes, read_pipeline
from verglas.project.project import Project

TRASH = "Trash"
_EMPTIED = ".verglas_emptied_trash"
DELETED_PIPELINE = "deleted_pipeline.star"
_ITERATION = re.compile(r"^(run(?:_ct\d+)?_it)(\d{3,})_")


class NotDeletable(ValueError):
    """A job that cannot be deleted, cleaned or restored now; the message says why."""


def jobs_to_delete(graph: Graph, name: str, *, recursive: bool = True) -> list[str]:
    """The job and, by default, everything that uses its outputs."""
    return [name, *(graph.descendants(name) if recursive else [])]


def delete(project: Project, name: str, *, recursive: bool = True) -> list[str]:
    """Move a job (and its users) to Trash; returns their names. Raises NotDeletable."""
    with project.change(f"delete {name}") as change:
        graph = change.graph
        names = jobs_to_delete(graph, name, recursive=recursive)
        running = [each for each in names if graph.processes[each].status is Status.RUNNING]
        if running:
            raise NotDeletable(f"{', '.join(running)} is running: abort it first")
        there = [each for each in names if (project.root / each).exists()]
        for each in there:  # as they are now, not as they were registered: undelete reads it
            change.write(each + JOB_PIPELINE, pipeline_bytes(graph.part(each)))
        if names[0] in there:
            change.write(names[0] + DELETED_PIPELINE, pipeline_bytes(_removed_part(graph, names)))
        for each in names:
            change.relink(each, graph.processes[each].alias, NO_ALIAS)
            graph.remove_process(each)
        for each in there:
            change.move(each.rstrip("/"), f"{TRASH}/{each.rstrip('/')}")
    return names


def deleted_jobs(project: Project) -> list[str]:
    """Names of the jobs in Trash that can be restored."""
    found = (project.root / TRASH).glob(f"*/job*/{JOB_PIPELINE}")
    return sorted(f"{path.parent.parent.name}/{path.parent.name}/" for path in found)


def undelete(project: Project, name: str) -> None:
    """Bring a job back from Trash with its nodes and edges. Raises NotDeletable, BadName."""
    name = checked_job_name(name)
    source = project.root / TRASH / name
    if not (source / JOB_PIPELINE).exists():
        raise NotDeletable(f"{TRASH}/{name} has no {JOB_PIPELINE}: there is no such job in Trash")
    if (project.root / name).exists():
        raise NotDeletable(f"{name} exists: a job of this name is already there")
    part = read_pipeline(source / JOB_PIPELINE)
    with project.change(f"undelete {name}") as change:
        graph = change.graph
        if name in graph.processes:
            raise NotDeletable(f"{name} is already in the pipeline")
        change.move(f"{TRASH}/{name.rstrip('/')}", name.rstrip("/"))
        change.remove(name + DELETED_PIPELINE)
        graph.take(part, name)
        change.relink(name, NO_ALIAS, graph.processes[name].alias)
        status = JobDirectory(source).exit_status()
        if status is not None or graph.processes[name].status is Status.RUNNING:
            graph.set_status(name, status or Status.FAILED)


def empty(project: Project) -> None:
    """Remove everything in Trash."""
    with project.change("empty Trash") as change:  # at once; removing may take minutes
        change.move(TRASH, _EMPTIED)
    shutil.rmtree(project.root / _EMPTIED, ignore_errors=True)


def clean(project: Project, name: str, *, harsh: bool = False) -> list[str]:
    """Move intermediate files of a finished job to Trash; returns their names. Raises NotDeletable."""
    with project.change(f"clean {name}") as change:
        graph = change.graph
        if graph.processes[name].status is not Status.SUCCEEDED:
            raise NotDeletable(f"{name} has not finished successfully: only such jobs are cleaned")
        files = files_to_clean(project, graph, name, harsh=harsh)
        for each in files:
            change.move(each, f"{TRASH}/{each}")
    return files


def files_to_clean(project: Project, graph: Graph, name: str, *, harsh: bool) -> list[str]:
    """What cleaning would move; outputs of the pipeline are never among it."""
    base = project.root / name
    kind = job_type(graph.processes[name].folder)
    protected = {node for node in graph.nodes if node.startswith(name)}
    patterns = list(kind.cleaned)
    if harsh and not (base / NO_HARSH_CLEAN).exists():
        patterns += kind.cleaned_harshly
    found = []
    for parent, _, files in os.walk(base):
        relative = Path(parent).relative_to(base)
        for file_name in files:
            path = str(relative / file_name)
            if any(_matches(path, pattern) for pattern in patterns):
                found.append(name + path)
    if kind.iterative:
        found += _old_iterations(base, name, protected)
    return sorted(each for each in found if each not in protected)


def _matches(path: str, pattern: str) -> bool:
    """`*/x` means: named x, in any sub-directory."""
    if pattern.startswith("*/"):
        return "/" in path and fnmatch.fnmatch(path.rsplit("/", 1)[1], pattern[2:])
    return "/" not in path and fnmatch.fnmatch(path, pattern)


def _old_iterations(base: Path, name: str, protected: set[str]) -> list[str]:
    """Files of all iterations but the last and those that the pipeline names."""
    by_iteration: dict[tuple[str, int], list[str]] = {}
    for path in base.glob("run*_it*"):
        found = _ITERATION.match(path.name)
        if found:
            by_iteration.setdefault((found[1], int(found[2])), []).append(name + path.name)
    if not by_iteration:
        return []
    last = max(by_iteration, key=lambda key: (key[1], key[0]))
    return [
        each
        for key, files in by_iteration.items()
        if key != last and not set(files) & protected
        for each in files
    ]


def _removed_part(graph: Graph, names: list[str]) -> Graph:
    removed = Graph(graph.dialect, graph.counter)
    for name in names:
        removed.take(graph.part(name), name)
    return removed
