"""A schedule on disc: what was asked for, how far it is, who works on it.

`.verglas/schedules/NAME/` holds `schedule.json` (the order), `state.json` (the progress) and `owner.json`
(the process at work). RELION's `RUNNING_PIPELINER_NAME` lies in the project while it is to run: deleting
that file stops the schedule, as RELION users know it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

from verglas.formats.atomic import atomic_write
from verglas.project.change import Change
from verglas.project.lease import OwnedFolder
from verglas.project.names import checked_plain_name
from verglas.project.project import OWN_FOLDER, Project

STOP, RETRY, CONTINUE = "stop", "retry-next-round", "continue"
ON_FAILURE = (STOP, RETRY, CONTINUE)


@dataclass(frozen=True)
class Order:
    """What the user asked Autorun to do."""

    name: str = "schedule1"
    jobs: tuple[str, ...] = ()
    repeat: int = 1
    min_wait_min: float = 15.0  # between the starts of rounds
    wait_before_min: float = 0.0
    on_failure: str = STOP
    keep_rounds: int = 0

    def __post_init__(self) -> None:
        checked_plain_name("schedule", self.name)
        if self.repeat < 1:
            raise ValueError(f"the schedule must run at least once, got {self.repeat} times")
        if self.min_wait_min < 0 or self.wait_before_min < 0:
            raise ValueError("waiting times cannot be negative")
        if self.on_failure not in ON_FAILURE:
            raise ValueError(f"--on-failure {self.on_failure!r}: known are {', '.join(ON_FAILURE)}")


@dataclass(frozen=True)
class Result:
    """What came of one job in one round: succeeded, waiting, failed, aborted, held."""

    kind: str
    reason: str = ""


@dataclass
class Progress:
    """How far a schedule is; written after every step."""

    phase: str = "new"  # new, before, round, between, done, stopped, failed
    round: int = 0
    started_boot: str = ""  # the round's start: boot id and seconds since boot ...
    started_boottime_s: float = 0.0
    started_wall_s: float = 0.0  # ... and by the calendar, for use after a reboot
    in_hand: str = ""  # the job at work, and how often it had been started before
    in_hand_attempt: int = 0
    results: dict[str, Result] = field(default_factory=dict)  # of this round
    last_results: dict[str, Result] = field(default_factory=dict)  # of the round before
    failures: dict[str, tuple[str, int]] = field(default_factory=dict)  # reason, times in a row
    restarts: int = 0  # of the scheduler, by the supervisor
    message: str = ""

    @property
    def is_over(self) -> bool:
        return self.phase in ("done", "stopped", "failed")


class ScheduleTaken(RuntimeError):
    """Another process runs the schedule."""


@dataclass(frozen=True)
class ScheduleFolder(OwnedFolder):
    """The files of one schedule."""

    root: Path
    name: str
    owned_as: ClassVar[str] = "schedule"
    taken: ClassVar[type[RuntimeError]] = ScheduleTaken

    @property
    def path(self) -> Path:
        return self.root / OWN_FOLDER / "schedules" / self.name

    @property
    def running_file(self) -> Path:
        return self.root / f"RUNNING_PIPELINER_{self.name}"

    @property
    def log_file(self) -> Path:
        return self.root / f"pipeline_{self.name}.log"

    def create(self, order: Order) -> None:
        """Write a new order; progress starts anew."""
        with Project(self.root).change(f"schedule {self.name}") as change:
            self.enter(change, order)

    def enter(self, change: Change, order: Order) -> None:
        """`create`, as a part of a change that does more."""
        here = f"{self.path.relative_to(self.root)}/"
        change.remove(f"{here}owner.json")
        change.write(f"{here}state.json", _json_bytes(Progress()))
        change.write(f"{here}schedule.json", _json_bytes(order))
        change.write(self.running_file.name, b"")

    def order(self) -> Order:
        """Raises FileNotFoundError for a schedule that does not exist."""
        known = json.loads((self.path / "schedule.json").read_text())
        return Order(**{**known, "jobs": tuple(known["jobs"])})

    def progress(self) -> Progress:
        try:
            known = json.loads((self.path / "state.json").read_text())
        except FileNotFoundError:
            return Progress()
        for key in ("results", "last_results"):
            known[key] = {job: Result(**each) for job, each in known[key].items()}
        known["failures"] = {job: (text, count) for job, (text, count) in known["failures"].items()}
        return Progress(**known)

    def save(self, progress: Progress) -> None:
        with atomic_write(self.path / "state.json") as out:
            out.write(_json_bytes(progress))

    @property
    def is_wanted(self) -> bool:
        """Whether it is to run: nobody stopped it and it is not over."""
        return self.running_file.exists() and not self.progress().is_over

    def stop(self) -> None:
        """Ask it to stop; it notices within a second."""
        self.running_file.unlink(missing_ok=True)


def _json_bytes(what: Order | Progress) -> bytes:
    return json.dumps(asdict(what), indent=1).encode()


@dataclass(frozen=True)
class RoundDone:
    """What came of a job the last time its schedule had it; the schedule will have it again."""

    schedule: str
    round: int
    kind: str  # as in Result
    reason: str = ""


def rounds_done(root: Path) -> dict[str, RoundDone]:
    """The last results of jobs that wait for another round, by job."""
    found: dict[str, RoundDone] = {}
    for folder in all_schedules(root):
        state = folder.progress()
        if state.is_over:
            continue
        for number, results in ((state.round - 1, state.last_results), (state.round, state.results)):
            for job, result in results.items():
                found[job] = RoundDone(folder.name, number, result.kind, result.reason)
    return found


def all_schedules(root: Path) -> list[ScheduleFolder]:
    """Every schedule of a project, by name."""
    found = (root / OWN_FOLDER / "schedules").glob("*/schedule.json")
    return sorted((ScheduleFolder(root, path.parent.name) for path in found), key=lambda each: each.name)
