"""What a map says of the maps to come, worked out after each update in a process of its own (it loads torch)."""

from __future__ import annotations

import os
from pathlib import Path

from verglas.compute.workers import Died, Raised, Worker
from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.streaming.own_job import NICE


class Answering:
    """One set of answers at a time; asked for meanwhile, it is made once more."""

    def __init__(self, project: Project, folder: LiveFolder, log: SessionLog) -> None:
        self._asked = (str(project.root), folder.name)
        self.log = log
        self._worker: Worker | None = None
        self._again = False

    def ask(self) -> None:
        """Answers to the map as it is now are wanted."""
        self._again = True
        self._begin()

    def look(self, wait_s: float = 0.0) -> None:
        """Take in what is ready; the process is not kept."""
        if self._worker is None or not self._worker.connection.poll(wait_s):
            return
        outcome = self._worker.take()
        self.close()
        if isinstance(outcome, Died | Raised):
            text = outcome.error if isinstance(outcome, Raised) else f"its process ended with {outcome}"
            self.log.complain(f"what the map says could not be worked out: {text}")
        if self._again:
            self._begin()

    def close(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _begin(self) -> None:
        if self._worker is None:
            self._again = False
            self._worker = Worker(_answer, 1)
            self._worker.give(self._asked, "cpu")


def _answer(asked: tuple[str, str], _: str) -> None:
    from verglas.scheduler.live import answers

    os.nice(NICE)
    root, name = asked
    answers.write(Project(Path(root)), LiveFolder(Path(root), name))
