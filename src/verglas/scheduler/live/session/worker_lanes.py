"""Worker processes on their devices: who is idle, who has what in hand, which device is benched.

A worker that dies costs its device nothing by itself: a bad movie can kill a worker, too. But a device on
which three different movies failed is benched, with a message, and the session goes on with the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from verglas.compute.workers import Died, Worker

BENCH_AFTER = 3  # different movies that failed on one device


@dataclass
class Lane:
    """One worker process and its device."""

    device: str
    worker: Worker | None = None
    task: Any = None  # in hand
    since_s: float = 0.0


@dataclass
class Lanes:
    """All lanes of a session."""

    work: Callable[[Any, str], Any]
    devices: Sequence[str]
    per_device: int = 1
    threads: int = 1
    failed: dict[str, set[int]] = field(default_factory=dict)  # device -> movies
    benched: dict[str, str] = field(default_factory=dict)  # device -> why

    def __post_init__(self) -> None:
        self.lanes = [Lane(device) for device in self.devices for _ in range(self.per_device)]

    def idle(self) -> list[Lane]:
        """Lanes that can take a task; those with a living worker first."""
        free = [lane for lane in self.lanes if lane.task is None and lane.device not in self.benched]
        return sorted(free, key=lambda lane: lane.worker is None)

    @property
    def in_hand(self) -> list[Any]:
        return [lane.task for lane in self.lanes if lane.task is not None]

    def give(self, lane: Lane, task: Any) -> None:
        if lane.worker is None:
            lane.worker = Worker(self.work, self.threads)
        lane.task, lane.since_s = task, time.monotonic()
        lane.worker.give(task, lane.device)

    def take(self, timeout_s: float) -> list[tuple[Lane, Any, Any]]:
        """(lane, task, outcome) of lanes that are ready, after waiting at most so long."""
        busy = {
            lane.worker.connection: lane
            for lane in self.lanes
            if lane.worker is not None and lane.task is not None
        }
        if not busy:
            time.sleep(timeout_s)
            return []
        found = []
        for connection in wait(list(busy), timeout_s):
            lane = busy[connection]  # type: ignore[index]
            if lane.worker is None:
                continue
            outcome = lane.worker.take()
            task, lane.task = lane.task, None
            if isinstance(outcome, Died):
                self.end(lane)
            found.append((lane, task, outcome))
        return found

    def note_fault(self, device: str, movie: int, reason: str) -> str:
        """A movie failed because of the device; the message if the device is benched for it."""
        movies = self.failed.setdefault(device, set())
        movies.add(movie)
        if len(movies) < BENCH_AFTER or device in self.benched:
            return ""
        self.benched[device] = reason
        for lane in self.lanes:
            if lane.device == device and lane.task is None:
                self.end(lane)
        return f"{device} failed {len(movies)} different movies and is benched; last: {reason}"

    def forgive(self, movie: int) -> None:
        """The movie failed elsewhere, too: the devices are not to blame for it."""
        for movies in self.failed.values():
            movies.discard(movie)

    def end(self, lane: Lane) -> None:
        """End a lane's worker (a new one starts with the next task)."""
        if lane.worker is not None:
            lane.worker.end()
            lane.worker = None

    def close(self) -> None:
        for lane in self.lanes:
            self.end(lane)
            lane.task = None
