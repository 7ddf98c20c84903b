"""Disc space: how much a movie costs, how long it will last, and pausing before it is gone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from verglas.jobs.chain import IMPORT
from verglas.project.project import Project

GATE_POLL_S = 2.0


@dataclass(frozen=True)
class DiscUse:
    """Gigabytes by job type, movies so far, what is free."""

    gb_by_kind: dict[str, float] = field(default_factory=dict)
    movies: int = 0
    free_gb: float = 0.0

    def gb_per_movie(self) -> dict[str, float]:
        return {kind: gb / max(1, self.movies) for kind, gb in self.gb_by_kind.items()}

    def hours_left(self, movies_per_hour: float, floor_gb: float) -> float:
        """Until the floor at this rate; infinite while nothing comes."""
        rate = movies_per_hour * sum(self.gb_per_movie().values())
        return max(0.0, self.free_gb - floor_gb) / rate if rate > 0 else float("inf")

    def line(self, movies_per_hour: float, floor_gb: float) -> str:
        parts = [f"{kind} {1000 * gb:.0f} MB" for kind, gb in self.gb_per_movie().items() if gb > 0]
        hours = self.hours_left(movies_per_hour, floor_gb)
        lasting = f"{hours:.1f} h left at {movies_per_hour:.0f} movies/h" if hours < 1e4 else "ample"
        return f"per movie: {', '.join(parts) or 'nothing yet'}; {self.free_gb:.0f} GB free, {lasting}"


def disc_use(project: Project) -> DiscUse:
    """Walk the job directories (seconds for 20,000 movies: do it hourly)."""
    sizes: dict[str, int] = {}
    for name, process in project.graph().processes.items():
        sizes[process.folder] = sizes.get(process.folder, 0) + _bytes_below(project.root / name)
    used = {kind: size / 1e9 for kind, size in sizes.items()}
    return DiscUse(used, movie_count(project), free_gb(project.root))


def movie_count(project: Project) -> int:
    """Rows of the largest list an Import made."""
    from verglas.scheduler.input_lists import count_rows

    counts = [0]
    for path in project.root.glob(f"{IMPORT}/job*/m*.star"):
        try:
            counts.append(count_rows(path.read_bytes()))
        except OSError:
            continue
    return max(counts)


def free_gb(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 1e9


class DiscGate:
    """Holds work back while there is too little space; opens by itself."""

    def __init__(
        self, folder: Path, floor_gb: float, say: Callable[[str], None], check: Callable[[], None]
    ) -> None:
        self.folder, self.floor_gb, self.say, self.check = folder, floor_gb, say, check

    def wait(self) -> None:
        """Return at once if there is space; otherwise say so and wait. `check` may raise."""
        if free_gb(self.folder) >= self.floor_gb:
            return
        self.say(
            f" Pausing: {free_gb(self.folder):.1f} GB are free on this disc, {self.floor_gb:g} are needed;"
            " it goes on by itself when there is space"
        )
        while free_gb(self.folder) < self.floor_gb:
            self.check()
            time.sleep(GATE_POLL_S)
        self.say(" There is space again: going on")


def _bytes_below(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _bytes_below(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return total
    return total
