"""A job that a session runs for itself beside the movies: started, looked after, begun again when it was killed.

Movies go first: the job takes what processor time they leave. One that was killed is begun again at once, a few
times in a row; one that failed waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from verglas.jobs.contract.options import OptionError
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import ForeignJob, RefusedJob
from verglas.scheduler.launch import Launched, abort, wait_for
from verglas.scheduler.live.record.session_log import SessionLog

PAUSE_S = 300.0  # after a failure
DEATHS = 5  # in a row, before a killed one counts as failed
NICE = 10
LOOK_S = 0.01


@dataclass(frozen=True)
class Ended:
    """How an execution ended; `again` is set where it was killed and is to be begun anew."""

    well: bool
    again: bool = False
    reason: str = ""


class OwnJob:
    """At most one execution at a time. `events` begins the names of its events: "live-classes"."""

    def __init__(self, project: Project, log: SessionLog, events: str) -> None:
        self.project, self.log, self.events = project, log, events
        self.not_before_s = 0.0
        self.deaths = 0  # in a row, by somebody from outside
        self._launched: Launched | None = None
        self._unwanted = False

    @property
    def is_busy(self) -> bool:
        return self._launched is not None

    @property
    def may_begin(self) -> bool:
        """Whether nothing runs, and no failure is to be waited after."""
        return self._launched is None and time.monotonic() >= self.not_before_s

    @property
    def is_dying(self) -> bool:
        """Whether the last execution was killed and the next one may end better."""
        return 0 < self.deaths < DEATHS

    def adopt(self, name: str, *, unfinished: bool = False) -> bool:
        """Look after a job that an earlier life of the session began; whether there is something to look after.

        `unfinished`: what came of its last execution has not been taken in, however that ended.
        """
        process = self.project.graph().processes.get(name)
        if process is not None and (unfinished or process.status is Status.RUNNING):
            self._launched = Launched(name, None)
        return self.is_busy

    def start(self, what: str, begin: Callable[[], Launched]) -> bool:
        """Whether it could be started; else that is told, and a while is waited."""
        try:
            self._launched = begin()
        except (ForeignJob, RefusedJob, OptionError, KeyError, OSError) as error:
            self.fail(f"{what} could not be started: {error}")
            return False
        self._after_movies()
        return True

    def look(self, wait_s: float = LOOK_S) -> Ended | None:
        """How the execution ended; None while it goes on, and where nobody wants to know."""
        launched = self._launched
        if launched is None or wait_for(self.project, launched, wait_s) is None:
            return None
        self._launched = None
        if self._unwanted:
            self._unwanted = False
            return None
        status = self.project.graph().processes[launched.name].status
        if status is Status.SUCCEEDED:
            self.deaths = 0
            return Ended(True)
        return self.ended_badly(launched.name, status)

    def ended_badly(self, name: str, status: Status) -> Ended:
        """Counts deaths; a failure, and a death too many, are told and waited after."""
        outcome = self.project.directory(name).outcome()
        reason = outcome.reason if outcome else status.label
        self.deaths = self.deaths + 1 if outcome is not None and outcome.kind == "killed" else 0
        if self.is_dying:
            self.log.event(f"{self.events}-killed", reason)
            return Ended(False, True, reason)
        self.fail(f"{name}: {reason}")
        return Ended(False, False, reason)

    def fail(self, text: str) -> None:
        self.log.complain(text)
        self.deaths, self.not_before_s = 0, time.monotonic() + PAUSE_S

    def stop(self) -> None:
        """Have the execution end: what it does is not wanted any more, nor how it ends. It is busy until then."""
        if self._launched is not None:
            abort(self.project, self._launched.name)
            self._unwanted = True

    def _after_movies(self) -> None:
        process = self._launched.process if self._launched is not None else None
        if process is not None:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
