"""A project directory: opening, reading the graph, changing it under the lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.atomic import atomic_write
from verglas.project.dialect import DIALECT_31, Dialect, Status
from verglas.project.graph import Graph
from verglas.project.job_directory import JobDirectory
from verglas.project.lock import project_lock
from verglas.project.names import without_alias
from verglas.project.node_mirror import remove_nodes, touch_nodes
from verglas.project.pipeline_file import pipeline_bytes, read_pipeline

MARKER = ".gui_projectdir"
PIPELINE = "default_pipeline.star"
CHANGED = ".pipeline_has_changed"
OWN_FOLDER = ".verglas"  # schedules, events: everything of ours that RELION does not know


class NotAProject(FileNotFoundError):
    """The directory holds no project."""


@dataclass(frozen=True)
class Project:
    """A project on disc. Paths inside it are relative to `root`."""

    root: Path

    @classmethod
    def create(cls, root: str | os.PathLike[str], dialect: Dialect = DIALECT_31) -> Project:
        """Make the directory a project; one that is a project already is opened as it is."""
        path = Path(root).resolve()
        path.mkdir(parents=True, exist_ok=True)
        (path / MARKER).touch()
        project = cls(path)
        if not (path / PIPELINE).exists():
            with project_lock(path, "new project"):
                if not (path / PIPELINE).exists():
                    _write(path / PIPELINE, pipeline_bytes(Graph(dialect)))
        return project

    @classmethod
    def open(cls, root: str | os.PathLike[str] = ".") -> Project:
        """Open an existing project; nothing is written. Raises NotAProject with what to type."""
        path = Path(root).resolve()
        if not (path / PIPELINE).exists():
            raise NotAProject(
                f"{path} is not a project (no {PIPELINE}); make one here with: verglas new ."
            )
        return cls(path)

    def graph(self) -> Graph:
        """The graph as it stands now."""
        return read_pipeline(self.root / PIPELINE)

    @contextmanager
    def change(self, reason: str) -> Iterator[Graph]:
        """Change the graph under the lock; written when the block ends without an error.

        Keep the block short: others wait. Nodes that appear or go are shown in or taken out of
        `.Nodes` accordingly.
        """
        with project_lock(self.root, reason):
            graph = self.graph()
            before = graph.copy()
            yield graph
            if pipeline_bytes(graph) == pipeline_bytes(before):
                return
            _write(self.root / PIPELINE, pipeline_bytes(graph))
        self._update_mirror(before, graph)
        (self.root / CHANGED).touch()

    def _update_mirror(self, before: Graph, after: Graph) -> None:
        """Expected outputs of scheduled jobs are shown although they do not exist (§3.1)."""
        gone = [name for name in before.nodes if name not in after.nodes]
        renamed = [
            name for name in after.nodes if _alias_of(before, name) != _alias_of(after, name)
        ]
        remove_nodes(
            self.root, before, [*gone, *(name for name in renamed if name in before.nodes)]
        )
        new = [name for name in after.nodes if name not in before.nodes]
        shown = [name for name in new if after.producer_of(name) or self.exists(name)]
        touch_nodes(self.root, after, [*shown, *renamed])

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def directory(self, job: str) -> JobDirectory:
        """The directory of a job, by its full name."""
        return JobDirectory(self.root / job)

    def job_name(self, text: str) -> str:
        """The full name ("Class2D/job006/") for a name, alias or number. Raises KeyError."""
        return self.graph().process(without_alias(self.root, text)).name

    def set_status(self, job: str, status: Status) -> None:
        with self.change(f"{job} is {status.label}") as graph:
            if job in graph.processes:
                graph.set_status(job, status)


def _alias_of(graph: Graph, node: str) -> str | None:
    producer = graph.producer_of(node)
    return graph.processes[producer].alias if producer else None


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path) as out:
        out.write(data)
