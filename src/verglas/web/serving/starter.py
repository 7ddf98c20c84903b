"""Collects the processes of started jobs when they have ended, so that none stays as a zombie."""

from __future__ import annotations

import subprocess
import threading

from verglas.project.project import Project
from verglas.scheduler.launch import Launched

POLL_S = 0.5


class Starter:
    """Jobs outlive the server: they are sessions of their own."""

    def __init__(self) -> None:
        self._running: list[tuple[Project, subprocess.Popen[bytes]]] = []
        self._lock = threading.Lock()

    def keep(self, project: Project, launched: Launched) -> None:
        """Look after a job that was started."""
        if launched.process is not None:
            with self._lock:
                self._running.append((project, launched.process))

    def ended(self) -> list[Project]:
        """Projects of the jobs that ended since the last call; call now and then."""
        with self._lock:
            ended = [each for each in self._running if each[1].poll() is not None]
            self._running = [each for each in self._running if each not in ended]
        return list({each[0].root: each[0] for each in ended}.values())

    def close(self) -> None:
        """The server ends: jobs go on by themselves, and nobody here waits for them any more."""
        with self._lock:
            self._running = []
