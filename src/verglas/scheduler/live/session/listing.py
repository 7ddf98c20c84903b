"""When the output lists of a session are brought up to date; `publishing/process.py` does it."""

from __future__ import annotations

import time
from typing import Any

from verglas.compute.workers import Raised
from verglas.jobs.chain import SELECTION, STAGES
from verglas.scheduler.live.publishing.process import Checked, Published, PublishTask, SanityTask, publish
from verglas.scheduler.live.record.order import FINISHING, PAUSED
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.session.known import Known
from verglas.scheduler.live.session.watcher import Watcher
from verglas.scheduler.live.session.worker_lanes import Lanes

SHARE = 10.0  # the lists take at most one part in so many of a processor
BYTES_PER_S = 20e6  # and write no more than this in the long run: a list is replaced as a whole
CHECKED_MOVIES = 3
ATTEMPTS = 3  # to rebuild the lists, before a new change is waited for


class Listing:
    """The lists on disc against what the session knows."""

    def __init__(self, known: Known, watcher: Watcher, at_work: Lanes, log: SessionLog) -> None:
        self.known, self.watcher, self.at_work, self.log = known, watcher, at_work, log
        self.lanes = Lanes(publish, ("cpu",))
        self.begun_s = 0.0  # when they were rebuilt last
        self.cost_s = 0.0  # processor time of the last change of the lists
        self.rebuild_s = 0.0  # and of the last time that everything was rebuilt
        self.bytes = 0  # of all lists
        self.particles = 0  # in the list
        self._particles_begun = 0
        self._complete = False  # summaries are as new as the lists
        self._fresh = True  # rows written by an earlier life may be stale
        self._waiting = 0
        self._failures = 0  # in a row
        self._checked = (self.known.folder.path / "findings.json").exists()

    @property
    def is_current(self) -> bool:
        """Whether all that is known stands in the lists."""
        return not self.known.unlisted and not self.lanes.in_hand

    def covers(self, since_s: float) -> bool:
        """Whether the lists were brought up to date after a (monotonic) time."""
        return self.begun_s > since_s and not self.lanes.in_hand

    def turn(self, phase: str) -> None:
        """Take what is ready; begin what is due."""
        for _, _, outcome in self.lanes.take(0) if self.lanes.in_hand else ():
            self._take(outcome)
        waiting = len(self.watcher.waiting)
        self.known.unlisted |= waiting != self._waiting
        self._waiting = waiting
        self._check_inputs()
        self._rebuild(phase)

    def _rebuild(self, phase: str) -> None:
        now = time.monotonic()
        order = self.known.order
        pause_s = max(order.publish_s, SHARE * self.cost_s, self.bytes / BYTES_PER_S)
        urgent = phase in (PAUSED, FINISHING) and not self.at_work.in_hand
        self.known.unlisted |= urgent and not self._complete
        idle = self.lanes.idle()
        if not self.known.unlisted or not idle or not (urgent or now - self.begun_s > pause_s):
            return
        self.known.unlisted, self.begun_s, self._complete = False, now, False
        self._particles_begun = self.known.counts.particles
        self.lanes.give(idle[0], self._task(complete=urgent))

    def _check_inputs(self) -> None:
        """Once three movies are there: do they fit what was said about them?"""
        idle, movies = self.lanes.idle(), self.known.ledger.movies
        if self._checked or len(movies) < CHECKED_MOVIES or not idle:
            return
        self._checked = True
        paths = tuple(movie.path for movie in movies[:CHECKED_MOVIES])
        self.lanes.give(idle[0], SanityTask(str(self.known.folder.path), paths))

    def _task(self, *, complete: bool) -> PublishTask:
        """All that the process needs to know."""
        known, settings = self.known, self.known.settings
        options = {stage: settings.options(stage, settings.latest(stage)) for stage in STAGES}
        waiting = self.watcher.waiting
        not_taken = tuple((each.raw.name, str(each.raw.path), each.reason) for each in waiting)
        fresh, self._fresh = self._fresh, False
        return PublishTask(
            str(known.folder.path),
            dict(known.jobs),
            {**options, SELECTION: known.select_options},
            tuple(known.groups.optics),
            not_taken,
            fresh,
            complete,
        )

    def _take(self, outcome: Any) -> None:
        complain = self.log.complain
        if isinstance(outcome, Checked):
            for warning in outcome.warnings:
                complain(warning)
        elif isinstance(outcome, Published):
            self._note_cost(outcome)
            self.particles, self._complete = self._particles_begun, outcome.complete
            for problem in outcome.problems:
                complain(f"a list could not be rebuilt: {problem}")
            self._failures = self._failures + 1 if outcome.problems else 0
            self.known.unlisted |= 0 < self._failures < ATTEMPTS  # else with the next change
        else:
            self.known.unlisted = self._fresh = True
            text = outcome.error if isinstance(outcome, Raised) else outcome
            complain(f"the lists were not rebuilt: {text}")

    def _note_cost(self, outcome: Published) -> None:
        if outcome.complete:
            self.rebuild_s = outcome.cpu_s
        else:
            self.cost_s = outcome.cpu_s
        self.bytes = outcome.bytes
