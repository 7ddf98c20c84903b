"""Keeps schedules alive: a scheduler that died is started again, one that a user stopped is not.

One small process per project; it ends when no schedule is to run. Schedulers watch it in turn, so the
death of either is repaired by the other. Where both died, every verglas command of the project, its pages,
and the service (`verglas service install`) find that nobody works on what is wanted, and start it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verglas.project.lease import Lease
from verglas.project.owner import Owner
from verglas.project.project import OWN_FOLDER
from verglas.scheduler.alarms import clear_alarm, raise_alarm
from verglas.scheduler.child import start_child
from verglas.scheduler.command import process_environment
from verglas.scheduler.events import read_events, record_event
from verglas.scheduler.live.record.order import LiveFolder, all_sessions
from verglas.scheduler.schedule import ScheduleFolder, all_schedules
from verglas.scheduler.watch import Watch

Work = ScheduleFolder | LiveFolder

POLL_S = 0.5
SHORT_LIFE_S = 30.0
FAST_RESTARTS = 10
FAILED_STARTS = 3
SUPERVISE = [sys.executable, "-m", "verglas.cli.main", "autorun", "supervise"]
SLOW_S = 60.0
UNWRITABLE_S = 2.0


@dataclass
class _Ward:
    """A schedule looked after: its process, and when it may be started again."""

    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    short_lives: int = 0
    not_before_s: float = 0.0
    dead: bool = False  # found so, and not at work again yet


class Supervisor:
    """Watches all schedules of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wards: dict[str, _Ward] = {}
        self.watch = Watch(root)
        self.lease = supervisor_lease(root)

    def run(self) -> int:
        """Work until no schedule is to run any more."""
        if self.lease.take():
            return 0
        while True:
            try:
                if self._turn():
                    return 0
            except OSError as error:  # a full disc, a server that is away: that passes, we stay
                with suppress(OSError):
                    print(f"{time.ctime()}: {error}; looking again", file=sys.stderr, flush=True)
                time.sleep(UNWRITABLE_S)
            time.sleep(POLL_S)

    def _turn(self) -> bool:
        """One look around; whether it was the last: nothing is to do, or another one took over."""
        wanted = wanted_work(self.root)
        for folder in wanted:
            self._look_after(folder)
        self.watch.look()
        return (not wanted and self._resigned()) or not self.lease.beat()

    def _resigned(self) -> bool:
        """Step down, unless a schedule was made meanwhile by somebody who still saw us alive."""
        self.lease.path.unlink(missing_ok=True)
        return not wanted_work(self.root) or self.lease.take() is not None

    def _look_after(self, folder: Work) -> None:
        ward = self.wards.setdefault(str(folder.path), _Ward())
        if ward.process is not None and ward.process.poll() is None:
            return
        if folder.lease.is_held():
            if ward.dead:
                ward.dead = False
                clear_alarm(self.root, f"dead-{folder.name}", f"{folder.name} is at work again")
            return
        if ward.process is None:
            self._tell_dead(folder, ward)
        now = time.monotonic()
        if (ended := ward.process) is not None:
            ward.process = None
            self._count_death(folder, ward, ended.returncode, now)
        if now >= ward.not_before_s:
            ward.process, ward.started_s = start_scheduler(folder), now

    def _tell_dead(self, folder: Work, ward: _Ward) -> None:
        """Found without a process, and not because one of ours has ended."""
        if (owner := folder.lease.holder()) is not None and not ward.dead:
            ward.dead = True  # said once, even where it cannot be written down
            text = f"{owner.shown}, at work on {folder.name}, is gone; it is started again"
            record_event(self.root, "scheduler-gone", text, schedule=folder.name)
            raise_alarm(self.root, f"dead-{folder.name}", text)

    def _count_death(self, folder: Work, ward: _Ward, code: int, now: float) -> None:
        lived = now - ward.started_s
        ward.short_lives = ward.short_lives + 1 if lived < SHORT_LIFE_S else 0
        ended_itself = code >= 0  # an error of ours may never go away; a kill does
        slow = ended_itself and ward.short_lives > FAST_RESTARTS
        ward.not_before_s = now + (SLOW_S if slow else min(2.0, 0.1 * 2**ward.short_lives))
        text = f"the scheduler ended with {code} after {lived:.0f} s; it is started again"
        record_event(self.root, "scheduler-died", text, schedule=folder.name, restarts=ward.short_lives)


def wanted_work(root: Path) -> list[Work]:
    """Schedules and live sessions that a process should work on."""
    found: list[Work] = [*all_schedules(root), *all_sessions(root)]
    return [folder for folder in found if folder.is_wanted]


def start_scheduler(folder: Work) -> subprocess.Popen[bytes]:
    """Start the process that works on a schedule or a live session, detached."""
    kind = "autorun" if isinstance(folder, ScheduleFolder) else "live"
    words = [sys.executable, "-m", "verglas.cli.main", kind, "work", folder.name]
    return _detached(folder.root, words)


def supervisor_lease(root: Path) -> Lease:
    """Which process is the project's supervisor."""
    return Lease(root / OWN_FOLDER / "supervisor.json")


def ensure_supervisor(root: Path) -> None:
    """Start the supervisor unless one is alive or coming up."""
    lease = supervisor_lease(root)
    if not lease.is_held():
        lease.give(Owner.of_pid(_detached(root, SUPERVISE).pid))


def begin_work(folder: Work) -> bool:
    """Have new work done, and see that it is; from then on the processes look after each other.

    Waits as long as somebody is alive or coming up, however busy the machine is. Returns whether a
    scheduler was seen at work; False if processes ended instead, again and again.
    """
    supervisor, starts, deaths = supervisor_lease(folder.root), 0, _deaths(folder)
    while folder.is_wanted and not folder.lease.is_held():
        if not supervisor.is_held():
            starts += 1
            ensure_supervisor(folder.root)
        if max(starts, _deaths(folder) - deaths) > FAILED_STARTS:
            return False
        time.sleep(POLL_S)
    return True


def revive(root: Path) -> list[str]:
    """Have work done that is wanted and that nobody works on; its names."""
    dead = [folder.name for folder in wanted_work(root) if not folder.lease.is_held()]
    if dead:
        ensure_supervisor(root)
    return dead


def is_looked_after(folder: Work) -> bool:
    """Whether a process works on it, or the supervisor will see to that."""
    return folder.lease.is_held() or supervisor_lease(folder.root).is_held()


def _deaths(folder: Work) -> int:
    """How often a process that worked on it has ended, as the supervisor saw it."""
    events = read_events(folder.root)
    return sum(
        event.get("kind") == "scheduler-died" and event.get("schedule") == folder.name for event in events
    )


def _detached(root: Path, words: list[str]) -> subprocess.Popen[bytes]:
    folder = root / OWN_FOLDER
    folder.mkdir(exist_ok=True)
    with open(folder / "scheduler.log", "ab") as log:
        environment = {**process_environment(), "VERGLAS_DETACHED": str(os.getpid())}
        return start_child(words, root, log, log, environment)
