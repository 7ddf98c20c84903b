"""A project directory: opening, reading the graph, changing it under the lock."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verglas.project.change import CHANGED, PIPELINE, Change
from verglas.project.cut_pipeline import CutPipeline, read_whole
from verglas.project.dialect import DIALECT_31, Dialect, Status
from verglas.project.graph import Graph
from verglas.project.job_directory import JobDirectory
from verglas.project.journal import Journal, is_unsettled, settle
from verglas.project.lock import project_lock
from verglas.project.names import without_alias
from verglas.project.pipeline_file import pipeline_bytes, read_pipeline

log = logging.getLogger("verglas.project")

SETTLE_PATIENCE_S = 10.0  # of who only reads
_waited_in_vain: set[Path] = set()  # projects whose lock was not to be had: said once, and waited for once
MARKER = ".gui_projectdir"
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
        if not (path / PIPELINE).exists():
            with project_lock(path, "new project"):
                settle(path)
                if not (path / PIPELINE).exists():
                    journal = Journal(path)
                    journal.write(PIPELINE, pipeline_bytes(Graph(dialect)))
                    journal.touch(MARKER)
                    journal.commit()
        if not (path / MARKER).exists():  # RELION asks before it works in a folder without it
            (path / MARKER).touch()
        return cls(path)

    @classmethod
    def open(cls, root: str | os.PathLike[str] = ".") -> Project:
        """Open an existing project; nothing is written, unless a dead process left a change unfinished.

        Raises NotAProject with what to type.
        """
        path = Path(root).resolve()
        if not (path / PIPELINE).exists():
            raise NotAProject(f"{path} is not a project (no {PIPELINE}); make one here with: verglas new .")
        project = cls(path)
        project.settle()
        return project

    def graph(self) -> Graph:
        """The graph as it stands now; of a file that was cut, with what others know of it."""
        self.settle()
        graph, lacking = read_whole(self.root, self.root / PIPELINE)
        if lacking:
            log.warning("%s", CutPipeline(self.root / PIPELINE, lacking))
        return graph

    @contextmanager
    def change(self, reason: str) -> Iterator[Change]:
        """Change the graph under the lock, and files with it; done when the block ends without an error.

        Keep the block short: others wait. Nodes that appear or go are shown in or taken out of `.Nodes`
        accordingly. A kill at any instant leaves the project as before or as after, once somebody looks.
        """
        with project_lock(self.root, reason):
            settle(self.root)
            change = Change(self.root, self._whole())
            try:
                yield change
            except BaseException:
                change.abandon()
                raise
            is_of_graph = change.is_of_graph
            change.commit()
        if is_of_graph:
            (self.root / CHANGED).touch()

    def settle(self) -> None:
        """Finish a change whose process was killed; where nothing can be written, that has to wait."""
        if not is_unsettled(self.root):
            return
        patience = 0.0 if self.root in _waited_in_vain else SETTLE_PATIENCE_S
        try:
            with project_lock(self.root, "finish a change", timeout_s=patience):
                if settle(self.root):
                    log.warning("finished a change of the project that a dead process had begun")
            _waited_in_vain.discard(self.root)
        except OSError as error:
            if self.root not in _waited_in_vain:
                log.warning("an unfinished change of the project stays for now: %s", error)
            _waited_in_vain.add(self.root)

    def _whole(self) -> Graph:
        """The graph, by who holds the lock. Raises CutPipeline."""
        graph, lacking = read_whole(self.root, self.root / PIPELINE)
        if lacking:
            raise CutPipeline(self.root / PIPELINE, lacking)
        return graph

    def repair(self, *, as_it_is: bool = False) -> list[str]:
        """Bring back what a cut pipeline file lacks, or take it as it is; what that was.

        The cut file is kept. Raises StarError where one that is damaged cannot be taken as it is.
        """
        with project_lock(self.root, "repair"):
            settle(self.root)
            graph, lacking = read_whole(self.root, self.root / PIPELINE)
            if lacking:
                if as_it_is:
                    graph = read_pipeline(self.root / PIPELINE)
                journal = Journal(self.root)
                journal.write(f"{PIPELINE}.cut", (self.root / PIPELINE).read_bytes())
                journal.write(PIPELINE, pipeline_bytes(graph))
                journal.commit()
        return lacking

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def directory(self, job: str) -> JobDirectory:
        """The directory of a job, by its full name."""
        return JobDirectory(self.root / job)

    def job_name(self, text: str) -> str:
        """The full name ("Class2D/job006/") for a name, alias or number. Raises KeyError."""
        return self.graph().process(without_alias(self.root, text)).name

    def set_status(self, job: str, status: Status) -> None:
        with self.change(f"{job} is {status.label}") as change:
            if job in change.graph.processes:
                change.graph.set_status(job, status)
