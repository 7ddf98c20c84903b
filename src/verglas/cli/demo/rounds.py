"""Follows a schedule from outside: delivers the second lot, notes what each job did in each round."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from verglas.formats.star import StarError, read_star
from verglas.project.project import Project
from verglas.scheduler.schedule import ScheduleFolder

POLL_SECONDS = 0.2


@dataclass
class RoundWatch:
    """Watches the progress a schedule writes down; `entries` is what it saw, job by job."""

    project: Project
    folder: ScheduleFolder
    deliver_second_lot: Callable[[], None]
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._rows: dict[str, int] = {}
        self._seen: set[tuple[int, str]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        progress = self.folder.progress()
        for number, results in (
            (progress.round - 1, progress.last_results),
            (progress.round, progress.results),
        ):
            for job, result in results.items():
                if result.kind == "succeeded" and (number, job) not in self._seen:
                    self._seen.add((number, job))
                    self._note(number, job)
                    if number == 1 and job.startswith("Import/"):
                        self.deliver_second_lot()

    def _note(self, number: int, job: str) -> None:
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        rows = output_rows(self.project.root / job)
        before = self._rows.get(job, 0)
        self._rows[job] = rows
        if job.startswith(("Class2D/", "InitialModel/", "Refine3D/")):
            what = f"from scratch, {rows} particles"
        else:
            what = f"{rows - before} new, {before} kept"
        self.entries.append({"round": number, "job": job, "what": what, "seconds": seconds})
        self.tell(f"  round {number}: {job:<20} {what}  ({seconds:.1f} s)")


def output_rows(directory: Path) -> int:
    """Micrographs (or particles) in the newest list a job wrote."""
    for name, block in (
        ("movies.star", "movies"),
        ("corrected_micrographs.star", "micrographs"),
        ("micrographs_ctf.star", "micrographs"),
        ("particles.star", "particles"),
        ("summary.star", ""),
    ):
        if (directory / name).exists():
            try:
                star = read_star(directory / name)
                table = star.get(block)
            except StarError:
                return 0
            return len(table) if table is not None else 0
    newest = sorted(directory.glob("run_it*_data.star"))
    return len(read_star(newest[-1])["particles"]) if newest else 0
