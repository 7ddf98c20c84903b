"""What workers did with movies in stages, and what follows from it."""

from __future__ import annotations

import time
from typing import Any

from verglas.compute.workers import Died, Raised
from verglas.jobs.chain import STAGES
from verglas.jobs.contract.unwritable import PAUSE_S, Unwritable
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.session.known import Known
from verglas.scheduler.live.session.pace import Pace
from verglas.scheduler.live.session.routing import Routing
from verglas.scheduler.live.session.stage_work import (
    DeviceFault,
    Outcome,
    StageAside,
    StageDone,
    StageTask,
    WarmUp,
)
from verglas.scheduler.live.session.worker_lanes import Lane, Lanes

DEATHS_UNTIL_POISON = 3
KILLS_UNTIL_POISON = 8  # by SIGKILL: perhaps not the movie's fault


class Results:
    """Takes outcomes of workers into a session's journal."""

    def __init__(self, known: Known, lanes: Lanes, routing: Routing, pace: Pace, log: SessionLog) -> None:
        self.known, self.lanes, self.routing, self.pace, self.log = known, lanes, routing, pace, log
        self.deaths: dict[tuple[int, str], list[Died]] = {}
        self.pause_until_s = 0.0  # the disc could not be written
        self._told = ""

    def forget(self, movie: Movie) -> None:
        """A movie is tried again as if its workers had not died."""
        self.deaths = {key: each for key, each in self.deaths.items() if key[0] != movie.number}

    def take(self, timeout_s: float) -> None:
        """Note what workers have done; wait at most so long for one of them."""
        for lane, task, outcome in self.lanes.take(timeout_s):
            if isinstance(task, WarmUp):
                continue
            movie = self.known.movie(task.number)
            self._handle(lane, task, movie, outcome)
            self.known.count(movie)

    def _handle(self, lane: Lane, task: StageTask, movie: Movie, outcome: Any) -> None:
        result: Outcome | Died | Raised = outcome
        if isinstance(result, StageDone):
            self._done(lane, task, movie, result)
        elif isinstance(result, StageAside):
            self.known.ledger.set_aside(movie, task.stage, result.reason)
            self.log.event("movie-aside", f"{movie.name}: {result.reason}")
        elif isinstance(result, DeviceFault):
            self._fault(lane, task, movie, result.reason)
            return
        elif isinstance(result, Unwritable):
            self._unwritable(task, result)
            return
        elif isinstance(result, Died):
            self._died(lane, task, movie, result)
            return
        else:
            self.known.ledger.set_aside(movie, task.stage, f"{type(result.error).__name__}: {result.error}")
        self.routing.route(movie)

    def _done(self, lane: Lane, task: StageTask, movie: Movie, result: StageDone) -> None:
        known: dict[str, Any] = {"figures": result.figures, "device": lane.device}
        if result.micrograph:
            known["micrograph"] = result.micrograph
        if result.picks:
            known["picks"] = result.picks
        if not result.kept:
            self.pace.costs[task.stage].add(result.seconds)
        if task.stage == STAGES[-1] and movie.number in self.known.seen:
            known["ready"] = round(time.monotonic() - self.known.seen[movie.number], 3)
            self.pace.latency.add(known["ready"])
            self.pace.rate_done.tick()
        self.routing.note_list(movie, task.stage, result.listed, kept=result.kept)
        if not (result.kept and movie.made[INDEX[task.stage]] == task.version):
            self.known.ledger.done(movie, task.stage, task.version, result.seconds, **known)

    def _fault(self, lane: Lane, task: StageTask, movie: Movie, reason: str) -> None:
        """The device failed: its worker begins anew; three movies on one device bench it."""
        self.lanes.end(lane)
        key = (task.number, task.stage)
        self.deaths.setdefault(key, []).append(Died(1))
        message = self.lanes.note_fault(lane.device, task.number, reason)
        if message:
            self.log.show(message)
            self.log.event("device-benched", message, device=lane.device)
        if len(self.deaths[key]) >= 2 * DEATHS_UNTIL_POISON:
            self.lanes.forgive(task.number)
            self.known.ledger.set_aside(movie, task.stage, f"failed on every device: {reason}")
            self.routing.leave(movie)
        else:
            self.routing.queues.add(task.stage, task.number, late=True)
        if len(self.lanes.benched) == len(self.known.order.all_devices):
            self.known.folder.wish("pause")
            self.log.show("every device failed: the session is paused")

    def _unwritable(self, task: StageTask, result: Unwritable) -> None:
        """No movie's fault: it comes again, and nothing is handed out for a while."""
        self.routing.queues.add(task.stage, task.number, late=True)
        self.pause_until_s = time.monotonic() + PAUSE_S
        if result.reason != self._told:
            self._told = result.reason
            self.log.show(f"paused: {result.reason}; it goes on by itself when files can be written")

    def _died(self, lane: Lane, task: StageTask, movie: Movie, died: Died) -> None:
        deaths = self.deaths.setdefault((task.number, task.stage), [])
        deaths.append(died)
        others = sum(not each.is_kill for each in deaths)
        if others < DEATHS_UNTIL_POISON and len(deaths) < KILLS_UNTIL_POISON:
            self.routing.queues.add(task.stage, task.number, late=len(deaths) > 1)
            return
        reason = f"poison: the worker processing it died {len(deaths)} times ({died})"
        self.known.ledger.set_aside(movie, task.stage, reason)
        self.log.event("movie-poison", f"{movie.name}: {reason}")
        self.routing.leave(movie)
