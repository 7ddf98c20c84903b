"""Running the same work over many items: here, in worker processes, or over MPI ranks.

One interface for the three; results arrive as they are ready. A worker that dies (killed by the system,
a crash in a library) costs only the item it had in hand: that one is tried again when the others are
done, alone; after three deaths it is reported as poison.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

from verglas.compute.memory import keep_freed_memory
from verglas.compute.workers import Died, LocalLanes, Raised, available_cores

__all__ = ["DEATHS_UNTIL_POISON", "Poison", "available_cores", "run_tasks"]

Task = TypeVar("Task")
DEATHS_UNTIL_POISON = 3


class Poison(Exception):
    """An item whose worker died every time it was tried.

    `killed` tells that each time it was SIGKILL: perhaps not the item's fault but a lack of memory, or
    somebody killing processes, so it is worth trying again another time.
    """

    def __init__(self, message: str, killed: bool = False) -> None:
        super().__init__(message, killed)
        self.killed = killed

    def __str__(self) -> str:
        return str(self.args[0])


class Lanes(Protocol):
    """Where tasks run: hands out and takes back, in any order."""

    capacity: int

    def submit(self, index: int, task: Any, device: str) -> None: ...
    def next(self) -> tuple[int, Any]: ...
    def close(self) -> None: ...


def run_tasks(
    work: Callable[[Task, str], Any],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    devices: Sequence[str] = ("cpu",),
    isolate: bool = False,
    executor: Executor | None = None,
) -> Iterator[tuple[Task, Any]]:
    """Yield (task, work(task, device)) as results arrive; devices are dealt out in turn.

    `work` must be picklable when `workers` > 1, when a single worker is to be a process of its own
    (`isolate`), or with an `executor` (over MPI ranks). A task whose worker died three times yields a
    Poison exception as its result; exceptions raised by `work` itself propagate.
    """
    if executor is not None:
        from verglas.compute.ranks import RankLanes

        yield from _supervised(RankLanes(executor, work), tasks, devices)
    elif workers > 1 or isolate:
        count = min(max(workers, 1), max(len(tasks), 1))
        yield from _supervised(LocalLanes(work, count), tasks, devices)
    else:
        keep_freed_memory()
        for index, task in enumerate(tasks):
            yield task, work(task, devices[index % len(devices)])


def _supervised(lanes: Lanes, tasks: Sequence[Task], devices: Sequence[str]) -> Iterator[tuple[Task, Any]]:
    todo = deque(range(len(tasks)))
    suspects: deque[int] = deque()
    deaths: dict[int, list[Died]] = {}
    in_hand = 0
    try:
        while todo or suspects or in_hand:
            while todo and in_hand < lanes.capacity:
                index = todo.popleft()
                lanes.submit(index, tasks[index], devices[index % len(devices)])
                in_hand += 1
            if not in_hand:  # only suspects are left: one at a time
                index = suspects.popleft()
                lanes.submit(index, tasks[index], devices[index % len(devices)])
                in_hand = 1
            index, outcome = lanes.next()
            in_hand -= 1
            if isinstance(outcome, Raised):
                raise outcome.error
            if not isinstance(outcome, Died):
                yield tasks[index], outcome
                continue
            deaths.setdefault(index, []).append(outcome)
            if len(deaths[index]) < DEATHS_UNTIL_POISON:
                suspects.append(index)
            else:
                yield tasks[index], _poison(deaths[index])
    finally:
        lanes.close()


def _poison(deaths: Sequence[Died]) -> Poison:
    text = f"the worker processing it died {len(deaths)} times ({deaths[-1]})"
    return Poison(text, killed=all(each.is_kill for each in deaths))
