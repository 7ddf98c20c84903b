"""One job of a schedule, seen through to its end: started, and started again when it was killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from verglas.formats.atomic import is_output_failure
from verglas.formats.star import StarError
from verglas.jobs.contract.options import OptionError
from verglas.jobs.contract.unwritable import pause_until_writable
from verglas.project.dialect import Status
from verglas.project.job_directory import UNWRITABLE
from verglas.project.project import Project
from verglas.project.registration import ForeignJob, RefusedJob
from verglas.scheduler.launch import Launched, launch, wait_for
from verglas.scheduler.schedule import Result

POLL_S = 0.2
DEATHS = 8  # of one job in a row, before it counts as failed
LONG_LIFE_S = 10.0  # a job that lived so long died of something new


@dataclass(frozen=True)
class JobAttempts:
    """How a scheduler runs its jobs; `check` and `pause` may raise to leave them to themselves."""

    project: Project
    keep_rounds: int
    check: Callable[[], None]  # called all the while
    pause: Callable[[float], None]
    tell_death: Callable[[str, str, int], None]  # job, reason, times in a row
    tell_unwritable: Callable[[str, str], None]  # job, reason

    def count(self, job: str) -> int:
        """How often it was started so far."""
        record = self.project.directory(job).record()
        return record.attempt if record else 0

    def run(self, job: str, attempts_before: int) -> Result:
        """Start the job, or go on with the one that an earlier life of the scheduler started since
        there had been `attempts_before`, until it has ended for good.
        """
        deaths = 0
        is_there = self.count(job) > attempts_before  # it runs, or has ended meanwhile
        launched = Launched(job, None) if is_there else None
        while True:
            begin = time.monotonic()
            if launched is None:
                try:
                    launched = launch(self.project, job, keep_rounds=self.keep_rounds)
                except (ForeignJob, RefusedJob, OptionError, StarError, OSError, KeyError) as error:
                    if is_output_failure(error):
                        self._pause_until_writable(job, str(error))
                        continue
                    self.project.set_status(job, Status.FAILED)
                    return Result("failed", str(error))
            result = self._wait_for(launched)
            if result.kind == UNWRITABLE:
                self._pause_until_writable(job, result.reason)
                launched = None
                continue
            if result.kind != "killed":
                return result
            deaths = 1 if time.monotonic() - begin > LONG_LIFE_S else deaths + 1
            self.tell_death(job, result.reason, deaths)
            if deaths >= DEATHS:
                return Result("failed", result.reason)
            self.pause(min(5.0, 0.1 * 2 ** (deaths - 1)))
            launched = None

    def _pause_until_writable(self, job: str, reason: str) -> None:
        """No failure of the job: it is started again when files can be written."""
        with suppress(OSError):
            self.tell_unwritable(job, reason)
        pause_until_writable(self.project.root, self.check)

    def _wait_for(self, launched: Launched) -> Result:
        while True:
            status = wait_for(self.project, launched, POLL_S)
            if status is not None:
                break
            self.check()
        directory = self.project.directory(launched.name)
        outcome = directory.outcome()
        if outcome is None and directory.exit_status() is None:
            return Result("killed", "the scheduler ended while it started the job")
        if outcome is None:  # a job of RELION's own, or one whose disc was full
            if status is Status.SUCCEEDED:
                return Result("succeeded")
            return Result("failed", directory.last_words(1) or "it left no reason")
        return Result(outcome.kind, outcome.reason)
