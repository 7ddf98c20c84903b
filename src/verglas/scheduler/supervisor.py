"""Keeps schedules alive: a scheduler that died is started again, one that a user stopped is not.

One small process per project; it ends when no schedule is to run. Schedulers watch it in turn, so the
death of either is repaired by the other; after a reboot the service (`verglas service install`) or the
next `verglas autorun` starts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from verglas.project.owner import Owner, living_other, read_owner, write_owner
from verglas.project.project import OWN_FOLDER
from verglas.scheduler.child import start_child
from verglas.scheduler.command import process_environment
from verglas.scheduler.events import record_event
from verglas.scheduler.live.record.order import LiveFolder, all_sessions
from verglas.scheduler.schedule import ScheduleFolder, all_schedules
from verglas.scheduler.watch import Watch

Work = ScheduleFolder | LiveFolder

POLL_S = 0.5
SHORT_LIFE_S = 30.0
FAST_RESTARTS = 10
SLOW_S = 60.0


@dataclass
class _Ward:
    """A schedule looked after: its process, and when it may be started again."""

    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    short_lives: int = 0
    not_before_s: float = 0.0


class Supervisor:
    """Watches all schedules of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wards: dict[str, _Ward] = {}
        self.watch = Watch(root)

    def run(self) -> int:
        """Work until no schedule is to run any more."""
        if not take_over(self.root):
            return 0
        while True:
            wanted = wanted_work(self.root)
            for folder in wanted:
                self._look_after(folder)
            self.watch.look()
            if not wanted and self._resigned():
                return 0
            if read_owner(_path(self.root)) != Owner.this_process():
                return 0  # another one took over
            time.sleep(POLL_S)

    def _resigned(self) -> bool:
        """Step down, unless a schedule was made meanwhile by somebody who still saw us alive."""
        _path(self.root).unlink(missing_ok=True)
        if wanted_work(self.root):
            return not take_over(self.root)
        return True

    def _look_after(self, folder: Work) -> None:
        ward = self.wards.setdefault(str(folder.path), _Ward())
        if ward.process is not None and ward.process.poll() is None:
            return
        owner = folder.owner()
        if owner is not None and owner.is_alive() is not False:
            return
        now = time.monotonic()
        if ward.process is not None:
            self._count_death(folder, ward, now)
            ward.process = None
        if now >= ward.not_before_s:
            ward.process, ward.started_s = start_scheduler(folder), now

    def _count_death(self, folder: Work, ward: _Ward, now: float) -> None:
        lived = now - ward.started_s
        ward.short_lives = ward.short_lives + 1 if lived < SHORT_LIFE_S else 0
        code = ward.process.returncode if ward.process else None
        ended_itself = (
            code is not None and code >= 0
        )  # an error of ours may never go away; a kill does
        slow = ended_itself and ward.short_lives > FAST_RESTARTS
        ward.not_before_s = now + (SLOW_S if slow else min(2.0, 0.1 * 2**ward.short_lives))
        text = f"the scheduler ended with {code} after {lived:.0f} s; it is started again"
        record_event(
            self.root, "scheduler-died", text, schedule=folder.name, restarts=ward.short_lives
        )


def wanted_work(root: Path) -> list[Work]:
    """Schedules and live sessions that a process should work on."""
    found: list[Work] = [*all_schedules(root), *all_sessions(root)]
    return [folder for folder in found if folder.is_wanted]


def start_scheduler(folder: Work) -> subprocess.Popen[bytes]:
    """Start the process that works on a schedule or a live session, detached."""
    kind = "autorun" if isinstance(folder, ScheduleFolder) else "live"
    words = [sys.executable, "-m", "verglas.cli.main", kind, "work", folder.name]
    return _detached(folder.root, words)


def ensure_supervisor(root: Path) -> None:
    """Start the supervisor unless one is alive."""
    owner = read_owner(_path(root))
    if owner is not None and owner.is_alive() is not False:
        return
    words = [sys.executable, "-m", "verglas.cli.main", "autorun", "supervise"]
    _detached(root, words)


def begin_schedule(folder: ScheduleFolder, patience_s: float = 20.0) -> bool:
    """Have a new schedule worked on, and see that it is; from then on the processes look after each
    other. Returns whether a scheduler was seen alive in time.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        ensure_supervisor(folder.root)
        owner = folder.owner()
        if folder.progress().is_over or (owner is not None and owner.is_alive()):
            return True
        time.sleep(0.1)
    return False


def take_over(root: Path) -> bool:
    """Become the project's supervisor; False if another one is alive."""
    if living_other(_path(root)) is not None:
        return False
    write_owner(_path(root))
    return True


def _detached(root: Path, words: list[str]) -> subprocess.Popen[bytes]:
    folder = root / OWN_FOLDER
    folder.mkdir(exist_ok=True)
    with open(folder / "scheduler.log", "ab") as log:
        environment = {**process_environment(), "VERGLAS_DETACHED": str(os.getpid())}
        return start_child(words, root, log, log, environment)


def _path(root: Path) -> Path:
    return root / OWN_FOLDER / "supervisor.json"
