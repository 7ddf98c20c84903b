"""What a live session is doing, as one small file: the source of the terminal's and the web's display.

`status.json` is `LiveStatus` as JSON, replaced about once in two seconds. Its size does not depend on how
many movies there are: the newest micrographs are in it, all of them are lines of `movies.jsonl`
(ledger.py), which a page reads on from where it stopped.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from verglas.formats.atomic import write_text
from verglas.scheduler.live.record.map_state import map_line
from verglas.scheduler.live.record.order import LiveFolder, read_json

NEWEST = 40
NOT_TAKEN = 50
RATE_WINDOW_S = 3600.0


@dataclass(frozen=True)
class StageStatus:
    """One stage: numbers of movies, and what a movie costs."""

    name: str  # "MotionCorr"
    job: str  # "MotionCorr/job002/"
    done: int = 0
    aside: int = 0  # could not be processed
    waiting: int = 0  # ready for it
    in_hand: int = 0
    mean_s: float = 0.0  # time of one movie, mean of the last 50


@dataclass(frozen=True)
class MicrographStatus:
    """One of the newest movies with its figures (keys: jobs/select/figures.py)."""

    number: int
    name: str
    micrograph: str  # the aligned sum, "" until there is one
    stage: str  # the last finished stage
    figures: dict[str, float]
    aside: str = ""  # why, in words
    aside_kind: str = ""  # failure, threshold, manual, classes
    taken: float = 0.0  # calendar time
    ready_s: float = 0.0  # from complete file to extracted


@dataclass(frozen=True)
class LiveStatus:
    """A live session now. Times are seconds, rates per hour."""

    name: str
    phase: str  # running, paused, finishing, finished, stopped, failed
    message: str = ""
    updated: float = 0.0  # calendar time of this file
    source: str = ""  # the wildcard
    found: int = 0  # movies taken
    waiting_files: int = 0  # seen, not complete or not usable
    accepted: int = 0
    set_aside: int = 0  # by thresholds, by a person, or by 2D classes
    failed: int = 0  # could not be processed
    finished: int = 0  # through all stages
    particles: int = 0
    lag_s: float = 0.0  # age of the oldest movie still on its way
    in_per_hour: float = 0.0
    done_per_hour: float = 0.0
    in_range: tuple[float, float] = (0.0, 0.0)  # what the true rates may be, from so few movies
    done_range: tuple[float, float] = (0.0, 0.0)
    rate_over_s: float = 0.0  # for how long movies have been counted, at most an hour
    judged: int = 0  # accepted, set aside or failed: no longer on their way
    latency_s: float = 0.0  # from complete file to extracted, median of the last 50
    stages: list[StageStatus] = field(default_factory=list)
    devices: dict[str, str] = field(default_factory=dict)  # device -> "working", "idle", or why benched
    newest: list[MicrographStatus] = field(default_factory=list)
    not_taken: list[tuple[str, str]] = field(default_factory=list)  # file, why
    problems: list[str] = field(default_factory=list)
    classes: dict[str, Any] = field(default_factory=dict)  # 2D: iteration, particles, file names
    map: dict[str, Any] = field(default_factory=dict)  # fields of MapState
    lists_age_s: float = 0.0  # since the output lists were rebuilt
    manual_rejects: int = 0
    thresholds: str = ""

    @property
    def line(self) -> str:
        """Health of the session in one line."""
        parts = [
            f"{self.phase}",
            f"in {self.in_per_hour:.0f}/h",
            f"done {self.done_per_hour:.0f}/h",
            f"lag {self.lag_s:.0f} s",
            f"{self.accepted} of {self.judged or self.found} accepted",
            f"{self.particles} particles",
        ]
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)

    @property
    def classes_line(self) -> str:
        """What 2D classification does, in words; "" for a session without it."""
        known = self.classes
        if not known.get("job"):
            return ""
        if known["state"] == "last run":
            return f"2D classes: the last run, from nothing with all {self.particles} particles"
        if not known["updates"]:
            states = {"updating": "the first run", "none": "none yet"}
            return f"2D classes: {states.get(known['state'], known['state'])}"
        chosen = f", {len(known['chosen'])} chosen" if known.get("chosen") else ""
        updates = f"{known['updates']} update{'s' if known['updates'] != 1 else ''}"
        seen = f"the last with {known['particles']} particles"
        return f"2D classes: {known['state']}; {updates}, {seen}{chosen}"

    @property
    def map_line(self) -> str:
        """What is known of the map, in words; "" for a session without one."""
        return map_line(self.map)


def write_status(folder: LiveFolder, status: LiveStatus) -> None:
    """Replace the file; it can be made again at once, so the disc is not waited for."""
    write_text(folder.status_file, json.dumps(asdict(status)), durable=False)


def read_status(folder: LiveFolder) -> LiveStatus:
    """The session's state; while nobody works on it, its phase says so."""
    known = read_json(folder.status_file)
    status = status_of(known) if known else LiveStatus(folder.name, folder.phase())
    phase, message = folder.phase(), folder.message()
    if folder.is_wanted:
        message = folder.lease.absence() or message
    return LiveStatus(**{**status.__dict__, "phase": phase, "message": message})


def status_of(known: Mapping[str, Any]) -> LiveStatus:
    """From the JSON object."""
    names = LiveStatus.__dataclass_fields__
    values = {key: value for key, value in known.items() if key in names}
    values["stages"] = [StageStatus(**each) for each in values.get("stages", [])]
    values["newest"] = [MicrographStatus(**each) for each in values.get("newest", [])]
    for key in ("in_range", "done_range"):
        low, high = values.get(key, (0.0, 0.0))
        values[key] = (float(low), float(high))
    values["not_taken"] = [(str(name), str(why)) for name, why in values.get("not_taken", [])]
    return LiveStatus(**values)


def rate_range(count: int, span_s: float) -> tuple[float, float]:
    """Rates per hour between which two thirds of such counts lie: count ± its root over the time."""
    spread = max(1.0, count) ** 0.5
    return max(0.0, count - spread) * 3600 / span_s, (count + spread) * 3600 / span_s


class Rate:
    """Events per hour over the last hour (or since the first, from a minute on)."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def tick(self) -> None:
        self._times.append(time.monotonic())

    def per_hour(self) -> float:
        span_s = self.over_s
        return len(self._times) * 3600 / max(60.0, span_s) if len(self._times) > 1 else 0.0

    @property
    def over_s(self) -> float:
        """Since when events are counted."""
        now = time.monotonic()
        while self._times and now - self._times[0] > RATE_WINDOW_S:
            self._times.popleft()
        return now - self._times[0] if self._times else 0.0

    @property
    def range(self) -> tuple[float, float]:
        """What the true rate may be, per hour; (0, 0) before there are two events."""
        if len(self._times) < 2:
            return 0.0, 0.0
        return rate_range(len(self._times), max(60.0, self.over_s))


class Recent:
    """The last values of something: mean and median."""

    def __init__(self, size: int = 50) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        self._values.append(value)

    @property
    def mean(self) -> float:
        return sum(self._values) / len(self._values) if self._values else 0.0

    @property
    def median(self) -> float:
        ordered = sorted(self._values)
        return ordered[len(ordered) // 2] if ordered else 0.0
