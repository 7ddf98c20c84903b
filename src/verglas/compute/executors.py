"""Running the same work over many items: serially, in worker processes, or over MPI ranks.

One interface for the three; results arrive as they are ready. A worker that dies (killed by the system,
a crash in a library) costs only the item it had in hand: the pool is made anew and the item is tried
again alone; after three deaths it is reported as poison.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

Task = TypeVar("Task")
DEATHS_UNTIL_POISON = 3


class Poison(Exception):
    """An item whose worker died every time it was tried."""


def run_tasks(
    work: Callable[[Task, str], Any],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    devices: Sequence[str] = ("cpu",),
) -> Iterator[tuple[Task, Any]]:
    """Yield (task, work(task, device)) as results arrive; devices are dealt out in turn.

    `work` must be picklable when `workers` > 1. A task whose worker died three times yields a Poison
    exception as its result; exceptions raised by `work` itself propagate.
    """
    if workers <= 1:
        for index, task in enumerate(tasks):
            yield task, work(task, devices[index % len(devices)])
        return
    yield from _run_in_pool(work, list(tasks), workers, devices)


def _run_in_pool(
    work: Callable[[Task, str], Any], tasks: list[Task], workers: int, devices: Sequence[str]
) -> Iterator[tuple[Task, Any]]:
    deaths = [0] * len(tasks)
    todo = list(range(len(tasks)))
    suspects: list[int] = []  # were in hand when a worker died: tried one at a time
    while todo or suspects:
        alone = not todo
        batch = [suspects.pop(0)] if alone else todo
        lost: list[int] = []
        with _pool(1 if alone else workers) as pool:
            for index, result in _as_completed(pool, work, tasks, batch, devices, workers, lost):
                yield tasks[index], result
        todo = [] if alone else [index for index in todo if index in set(lost)]
        for index in _in_hand(lost, alone, workers):
            deaths[index] += 1
            if index in todo:
                todo.remove(index)
            if deaths[index] >= DEATHS_UNTIL_POISON:
                died = Poison(f"the worker processing it died {deaths[index]} times")
                yield tasks[index], died
            else:
                suspects.append(index)


def _in_hand(lost: list[int], alone: bool, workers: int) -> list[int]:
    """The lost items that were being processed: the first ones handed out."""
    return lost[: 1 if alone else workers + 1]


def _as_completed(
    pool: Executor,
    work: Callable[[Task, str], Any],
    tasks: Sequence[Task],
    batch: Sequence[int],
    devices: Sequence[str],
    workers: int,
    lost: list[int],
) -> Iterator[tuple[int, Any]]:
    """Keep at most two items per worker submitted, so that an abort is quick and memory bounded."""
    pending: dict[Future[Any], int] = {}
    queue = iter(batch)
    broken = False
    while True:
        while not broken and len(pending) < 2 * workers:
            index = next(queue, None)
            if index is None:
                break
            try:
                pending[pool.submit(work, tasks[index], devices[index % len(devices)])] = index
            except BrokenProcessPool:
                lost.append(index)
                broken = True
        if not pending:
            break
        finished, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            index = pending.pop(future)
            try:
                yield index, future.result()
            except BrokenProcessPool:
                lost.append(index)
                broken = True
    lost.sort()
    lost.extend(queue)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
