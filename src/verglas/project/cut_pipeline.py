"""A pipeline file that ends in the middle: what it lacks, by its last good copies and the job directories.

A file cut between rows is a valid one with fewer jobs, nodes or edges; written back as it is, the others would
be lost. Every start of a job leaves a copy of the whole file in the job's directory, beside its own part.
"""

from __future__ import annotations

import os
from pathlib import Path

from verglas.formats.star import StarError
from verglas.jobs.contract.control_files import JOB_PIPELINE, PIPELINE_BACKUP
from verglas.project.dialect import Status
from verglas.project.graph import Graph
from verglas.project.job_directory import JobDirectory
from verglas.project.pipeline_file import read_pipeline, read_pipeline_once

END_BYTES = 4096


class CutPipeline(ValueError):
    """The pipeline file lacks jobs or edges that are there; nothing is written over it."""

    def __init__(self, path: Path, lacking: list[str]) -> None:
        named = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if lacking[3:] else "")
        super().__init__(
            f"{path.name} ends in the middle: it lacks {named}, which other files know. Bring that back "
            "with: verglas repair (or take the file as it is: verglas repair --as-it-is)"
        )


def read_whole(root: Path, path: Path) -> tuple[Graph, list[str]]:
    """The graph, and names of what the file lacks of jobs that have a directory: that is taken from others.

    Raises StarError for a file that is damaged and that no others tell about.
    """
    try:
        graph = read_pipeline(path)
        if not _looks_cut(path, graph):
            return graph, []
        return _with_others(root, graph)
    except StarError:
        copies = _good_copies(root)
        if not copies:
            raise
        return _with_others(root, Graph(copies[0].dialect))


def _looks_cut(path: Path, graph: Graph) -> bool:
    """Whether the file may have lost its end: every table is followed by a blank line, also the last."""
    if graph.processes and not (graph.nodes and graph.outputs):
        return True
    with open(path, "rb") as handle:
        handle.seek(0, os.SEEK_END)
        handle.seek(max(0, handle.tell() - END_BYTES))
        lines = handle.read().split(b"\n")
    return bool(lines[-1].strip()) or len(lines) < 2 or bool(lines[-2].strip())


def _with_others(root: Path, graph: Graph) -> tuple[Graph, list[str]]:
    whole, lacking = graph.copy(), list[str]()
    for source in (*_good_copies(root)[:1], *_parts(root, graph)):
        whole.counter = max(whole.counter, source.counter)
        for name in source.processes:
            if (root / name).is_dir():
                lacking += _take(root, whole, source, name)
    return whole, list(dict.fromkeys(lacking))


def _take(root: Path, whole: Graph, source: Graph, name: str) -> list[str]:
    part = source.part(name)
    lacking = [] if name in whole.processes else [name]
    known = {*whole.inputs, *whole.outputs}
    if not lacking and {*part.inputs, *part.outputs} <= known:
        return []
    whole.take(part, name)
    if lacking and (status := JobDirectory(root / name).exit_status()) is not None:
        whole.set_status(name, status)
    elif lacking and whole.processes[name].status is Status.RUNNING:
        whole.set_status(name, Status.FAILED)
    return lacking or [f"edges of {name}"]


def _good_copies(root: Path) -> list[Graph]:
    """Whole copies in job directories, the newest first."""
    paths = sorted(root.glob(f"*/job*/{PIPELINE_BACKUP}"), key=_changed, reverse=True)
    return [graph for path in paths if (graph := _read(path)) and not _looks_cut(path, graph)]


def _parts(root: Path, graph: Graph) -> list[Graph]:
    """What jobs say of themselves that the graph does not know."""
    found = []
    for path in sorted(root.glob(f"*/job*/{JOB_PIPELINE}")):
        name = f"{path.parent.relative_to(root)}/"
        part = None if name in graph.processes else _read(path)
        if part is not None and name in part.processes:
            found.append(part)
    return found


def _read(path: Path) -> Graph | None:
    try:
        return read_pipeline_once(path)
    except (OSError, StarError):
        return None


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
