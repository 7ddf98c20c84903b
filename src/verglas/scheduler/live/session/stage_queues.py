"""Which movie is due in which stage; every question costs the same however many movies there are."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from verglas.jobs.chain import STAGES
from verglas.scheduler.live.record.order import NEWEST


@dataclass
class StageQueues:
    """Movie numbers ready for each stage, newest or oldest first."""

    first: str
    _heaps: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    _members: dict[str, set[int]] = field(default_factory=lambda: {stage: set() for stage in STAGES})

    def add(self, stage: str, number: int, *, late: bool = False) -> None:
        """`late` movies come after all others: they were tried before, or have a result already."""
        if number in self._members[stage]:
            return
        self._members[stage].add(number)
        rank = -number if self.first == NEWEST else number
        heapq.heappush(self._heaps[stage], (rank + (1 << 40 if late else 0), number))

    def take(self, stage: str) -> int | None:
        """The next movie for a stage."""
        if not self._heaps[stage]:
            return None
        _, number = heapq.heappop(self._heaps[stage])
        self._members[stage].discard(number)
        return number

    def waiting(self, stage: str) -> int:
        return len(self._heaps[stage])

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))
