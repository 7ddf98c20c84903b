"""MPI ranks as lanes for tasks, through mpi4py.futures (`mpirun -n N verglas run JOBDIR`)."""

from __future__ import annotations

import os
import pickle
import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from verglas.compute.workers import Died, Worker, available_cores

_HINTS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "MPI_LOCALNRANKS")


def world() -> tuple[int, int]:
    """(rank, number of ranks) of this process; (0, 1) where it was not started under MPI."""
    if not any(name in os.environ for name in _HINTS):
        return 0, 1
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError):
        return 0, 1
    return MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()


@contextmanager
def rank_executor() -> Iterator[Executor | None]:
    """On rank 0 an executor over the other ranks; on those None, when rank 0 has left the block."""
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        yield cast("Executor | None", executor)


class RankLanes:
    """Tasks over the ranks of an executor; every rank has a worker of its own that may die."""

    def __init__(self, executor: Executor, work: Callable[[Any, str], Any]) -> None:
        self._executor = executor
        self.capacity = max(1, world()[1] - 1)
        self._pending: dict[Future[Any], int] = {}
        folder = Path.cwd()  # the project: every rank sees it
        handle, name = tempfile.mkstemp(prefix=".verglas-work-", suffix=".tmp", dir=folder)
        self._work_file = Path(name)
        self._token = secrets.token_hex(8)
        with os.fdopen(handle, "wb") as out:
            pickle.dump(work, out)

    def submit(self, index: int, task: Any, device: str) -> None:
        future = self._executor.submit(_on_rank, str(self._work_file), self._token, task, device)
        self._pending[future] = index

    def next(self) -> tuple[int, Any]:
        """Any result; a rank itself does not die alone (MPI ends all of them)."""
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        future = next(iter(done))
        return self._pending.pop(future), future.result()

    def close(self) -> None:
        for future in self._pending:
            future.cancel()
        self._work_file.unlink(missing_ok=True)


_here: dict[str, Worker] = {}  # token -> the worker of this rank


def _on_rank(work_file: str, token: str, task: Any, device: str) -> Any:
    worker = _here.get(token)
    if worker is None:
        for old in _here.values():
            old.end()
        _here.clear()
        with open(work_file, "rb") as source:
            work = pickle.load(source)
        worker = _here[token] = Worker(work, available_cores())
    worker.give(task, device)
    outcome = worker.take()
    if isinstance(outcome, Died):
        worker.end()
        del _here[token]
    return outcome


def end_rank_workers() -> None:
    """End what this rank started; called when its part is over."""
    for worker in _here.values():
        worker.end()
    _here.clear()
