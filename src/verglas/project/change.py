"""One change of a project: the graph, and the files that have to change together with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from verglas.jobs.contract.control_files import ABORT_NOW, EXIT_FILES, NOTE, PIPELINE_BACKUP
from verglas.project.dialect import Status
from verglas.project.graph import NO_ALIAS, Graph
from verglas.project.job_directory import OUTCOME, RUN_RECORD, JobOutcome, RunRecord, exit_file
from verglas.project.journal import Journal
from verglas.project.node_mirror import MIRROR, mirror_names
from verglas.project.note import execution_block, read_note
from verglas.project.pipeline_file import pipeline_bytes

PIPELINE = "default_pipeline.star"
CHANGED = ".pipeline_has_changed"


class Change(Journal):
    """What `Project.change` hands out: change `graph`, name steps; all is done when the block ends."""

    def __init__(self, root: Path, graph: Graph) -> None:
        super().__init__(root)
        self.graph = graph
        self._before = graph.copy()
        self._backups: list[str] = []

    def begin(self, job: str) -> None:
        """Before an execution: forget how the last one ended, and requests to abort it."""
        for name in (*EXIT_FILES, ABORT_NOW, OUTCOME):
            self.remove(job + name)

    def end(self, job: str, status: Status, outcome: JobOutcome | None = None) -> None:
        """An execution has ended so: exactly one exit file, the outcome, the state in the graph."""
        wanted = exit_file(status)
        for name in EXIT_FILES:
            if name != wanted:
                self.remove(job + name)
        if outcome is not None:
            self.write(job + OUTCOME, outcome.as_bytes())
        self.write(job + wanted, b"")
        self.graph.set_status(job, status)

    def hand_to(self, job: str, record: RunRecord) -> None:
        """An execution is under way, and this is whose it is."""
        self.write(job + RUN_RECORD, record.as_bytes())
        self.graph.set_status(job, Status.RUNNING)

    def note(self, job: str, commands: Sequence[str]) -> None:
        """A block of the job's note.txt: what is executed now."""
        text = read_note(self.root / job) + execution_block(commands, time.time())
        self.write(job + NOTE, text.encode("utf-8", "surrogateescape"))

    def back_up_in(self, job: str) -> None:
        """RELION's copy of the whole pipeline in the directory of the job that changed it last."""
        self._backups.append(job)

    def show(self, nodes: Iterable[str]) -> None:
        """Show nodes in Browse, under their job's alias if it has one."""
        for path in mirror_names(self.graph, nodes):
            if not (self.root / path).exists():
                self.touch(path)

    def relink(self, job: str, old: str, new: str) -> None:
        """Take the link of the old alias away and make that of the new one; NO_ALIAS stands for none."""
        if old not in (NO_ALIAS, new) and (self.root / old.rstrip("/")).is_symlink():
            self.remove(old.rstrip("/"))
        if new != NO_ALIAS:
            self.link(new.rstrip("/"), f"../{job}")

    def commit(self) -> None:
        data = pipeline_bytes(self.graph)
        if data == pipeline_bytes(self._before):
            data = (self.root / PIPELINE).read_bytes() if self._backups else b""
        else:
            self.write(PIPELINE, data)
            self._update_mirror()
        for job in self._backups:
            self.write(job + PIPELINE_BACKUP, data)
        super().commit()

    @property
    def is_of_graph(self) -> bool:
        """Whether the graph itself is another one now."""
        return pipeline_bytes(self.graph) != pipeline_bytes(self._before)

    def _update_mirror(self) -> None:
        """Expected outputs of scheduled jobs are shown although they do not exist (pipeline.md §3.1)."""
        before, after = self._before, self.graph
        old, new = _aliases(before), _aliases(after)
        renamed = [name for name in after.nodes if old.get(name) != new.get(name)]
        gone = [name for name in before.nodes if name not in after.nodes]
        for path in mirror_names(before, [*gone, *renamed]):
            self.remove(path, up_to=MIRROR)
        fresh = [name for name in after.nodes if name not in before.nodes]
        self.show([name for name in fresh if name in new or (self.root / name).exists()])
        self.show(renamed)


def _aliases(graph: Graph) -> dict[str, str]:
    """The alias of the producer of each node that a job makes."""
    return {node: graph.processes[maker].alias for maker, node in graph.outputs}
