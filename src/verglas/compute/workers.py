"""Worker processes that may die: each does one task at a time, so that it is known who had what in hand.

A worker ends with its parent (the kernel sees to it), so a killed job leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from verglas.compute.memory import keep_freed_memory
from verglas.compute.quiet_threads import let_waiting_threads_sleep

_PR_SET_PDEATHSIG = 1
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Died:
    """The worker of a task died: `code` is the negative signal, or an exit code."""

    code: int

    @property
    def is_kill(self) -> bool:
        """By SIGKILL: somebody from outside, or the system short of memory."""
        return self.code == -signal.SIGKILL

    def __str__(self) -> str:
        if self.code < 0:
            return f"signal {signal.Signals(-self.code).name}"
        return f"exit code {self.code}"


@dataclass(frozen=True)
class Raised:
    """The work raised an exception, which is to be raised again where it was asked for."""

    error: BaseException


class Worker:
    """One process that applies `work` to tasks."""

    def __init__(self, work: Callable[[Any, str], Any], threads: int) -> None:
        let_waiting_threads_sleep()  # its environment is ours
        self.connection, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(theirs, work, os.getpid(), threads), daemon=False)
        self.process.start()
        theirs.close()

    def give(self, task: Any, device: str) -> None:
        """Hand over a task; a worker that is dead already is noticed in `take`."""
        try:
            self.connection.send((task, device))
        except (BrokenPipeError, ConnectionResetError):
            return

    def take(self) -> Any:
        """Wait for the result: what the work returned, Raised, or Died."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Died(self.process.exitcode or 0)

    def end(self) -> None:
        """Stop the process, in the middle of a task if need be."""
        self.connection.close()
        self.process.terminate()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class LocalLanes:
    """Up to `count` workers on this machine."""

    def __init__(self, work: Callable[[Any, str], Any], count: int) -> None:
        self.work, self.capacity = work, count
        self._threads = max(1, available_cores() // count)
        self._idle: list[Worker] = []
        self._busy: dict[Connection, tuple[Worker, int]] = {}

    def submit(self, index: int, task: Any, device: str) -> None:
        """Give the task with this index to an idle worker (a new one if there is none)."""
        worker = self._idle.pop() if self._idle else Worker(self.work, self._threads)
        worker.give(task, device)
        self._busy[worker.connection] = (worker, index)

    def next(self) -> tuple[int, Any]:
        """Wait for any result: (index, outcome)."""
        ready = set(wait(list(self._busy)))
        connection = next(each for each in self._busy if each in ready)
        worker, index = self._busy.pop(connection)
        outcome = worker.take()
        if isinstance(outcome, Died):
            worker.end()
        else:
            self._idle.append(worker)
        return index, outcome

    def close(self) -> None:
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.end()


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(connection: Connection, work: Callable[[Any, str], Any], parent: int, threads: int) -> None:
    """The worker's life: tasks in, outcomes out, until the parent closes or dies."""
    _die_with(parent)
    keep_freed_memory()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if "OMP_NUM_THREADS" not in os.environ and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    while True:
        try:
            task, device = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            outcome = work(task, device)
        except Exception as error:
            outcome = Raised(error)
        try:
            connection.send(outcome)
        except (BrokenPipeError, ConnectionResetError):
            return
        except (TypeError, AttributeError, ValueError) as error:  # the outcome cannot be pickled
            connection.send(Raised(RuntimeError(f"{type(outcome).__name__}: {error}")))


def _die_with(parent: int) -> None:
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(0)
