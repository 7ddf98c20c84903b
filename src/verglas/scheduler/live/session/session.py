"""A live session at work: files in, movies through the stages, lists out; one process, many workers.

Nothing is decided that is not on disc first (journal, job directories), so a session that was killed
goes on where it was: what the journal has is not looked at again, what only the disc has is found by the
jobs' own test whether a micrograph is done.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from verglas.jobs.chain import IMPORT
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.importing.raw_files import link_into_project, raw_file
from verglas.project.job_directory import RUN_RECORD
from verglas.project.lease import renewed
from verglas.project.project import Project
from verglas.scheduler.live.record.chain import hold, note_execution, release
from verglas.scheduler.live.record.ledger import Movie
from verglas.scheduler.live.record.order import (
    FINISHED,
    FINISHING,
    OVER,
    PAUSED,
    RUNNING,
    STOPPED,
    LiveFolder,
    SessionTaken,
    read_json,
)
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.session.known import Known
from verglas.scheduler.live.session.listing import Listing
from verglas.scheduler.live.session.pace import Pace
from verglas.scheduler.live.session.results import Results
from verglas.scheduler.live.session.routing import Routing
from verglas.scheduler.live.session.stage_work import work
from verglas.scheduler.live.session.telling import tell_status
from verglas.scheduler.live.session.watcher import NewMovie, Watcher
from verglas.scheduler.live.session.worker_lanes import Lanes
from verglas.scheduler.live.streaming.classes import StreamingClasses
from verglas.scheduler.live.streaming.map import StreamingMap
from verglas.scheduler.live.streaming.map_end import MapEnd
from verglas.scheduler.supervisor import ensure_supervisor

TURN_S = 0.25  # longest wait for a worker before looking around
STATUS_S = 2.0
SUPERVISOR_S = 2.0
LOOK_AT_ASIDE_S = 10.0


class LiveSession:
    """One session from taking over to release."""

    def __init__(self, project: Project, folder: LiveFolder, *, supervised: bool = False) -> None:
        self.supervised, self.lease = supervised, folder.lease
        self.warm = "VERGLAS_JOB_TYPES" not in os.environ  # stand-ins need no numerics
        self.project, self.folder, self.known = project, folder, Known(folder)
        self.order, self.jobs = self.known.order, self.known.jobs
        self.log, self.pace = SessionLog(project.root, self.order.name), Pace()
        self.lanes = Lanes(work, self.order.all_devices, self.order.workers, self.order.threads)
        self.watcher = Watcher(
            self.order.wildcard, Path(self.jobs[IMPORT].rstrip("/")), self.order.settle_s, self.order.n_frames
        )
        self.routing = Routing(self.known, self.lanes, self.log)
        self.results = Results(self.known, self.lanes, self.routing, self.pace, self.log)
        self.listing = Listing(self.known, self.watcher, self.lanes, self.log)
        self.streaming = StreamingClasses(project, folder, self, self.log)
        self.map = StreamingMap(project, folder, self, self.log)
        self._next_supervisor_s = self._next_status_s = self._next_look_s = self._next_aside_s = 0.0
        self._cleaned = False  # the last classes were made again without what is unlike the rest
        self._looks_at_end = 0  # the last files may have come with the wish to finish

    def run(self) -> int:
        """Work until the session is over; the exit code."""
        self.folder.take()
        self._begin()
        records = [self.project.root / name / RUN_RECORD for name in self.jobs.values()]
        try:
            with renewed(*records):
                while self._turn():
                    pass
        finally:
            self.close()
        return 0

    def close(self) -> None:
        """End all workers."""
        self.lanes.close()
        self.listing.lanes.close()
        self.map.answering.close()
        self.known.ledger.close()

    def _begin(self) -> None:
        self.known.read_journal()
        for movie in self.known.ledger.movies:
            self._remember(movie)
        self._read_changes()
        note_execution(self.project, self.jobs)
        if self.folder.phase() != PAUSED:
            hold(self.project, self.jobs)
        if self.folder.phase() != PAUSED and self.warm:
            self.routing.warm_up()
        self.log.event("live-started", f"{len(self.known.ledger.movies)} movies known")

    def _remember(self, movie: Movie) -> None:
        raw = raw_file(Path(movie.path), self.order.wildcard, self.watcher.directory)
        self.watcher.known.add(movie.path)
        self.watcher.roots.add(raw.output_root)
        if self.watcher.first_frames == 0:
            self.watcher.first_frames = movie.frames

    def _turn(self) -> bool:
        """One look around; False when the session is over."""
        self._obey()
        self._see_supervisor()
        phase = self.folder.phase()
        if phase in OVER:
            return self._stop(phase)
        self._read_changes()
        self._read_requests()
        if phase != PAUSED:
            self._look_for_files(phase)
            self.routing.redo()
            if time.monotonic() >= self.results.pause_until_s:
                self.routing.hand_out()
        self.results.take(TURN_S)
        self.listing.turn(phase)
        if phase == RUNNING:
            self._turn_of_all_particles()
        self._show(phase)
        if phase == PAUSED:
            self._rest()
        if phase == FINISHING and self._is_drained():
            return self._finish()
        return True

    def _turn_of_all_particles(self) -> None:
        """2D classes and map: one of them at a time, in turn."""
        lag_s = self.known.lag_s
        self.streaming.turn(lag_s, self.listing.particles, may_begin=not self.map.is_busy)
        self.map.turn(lag_s, may_begin=not self.streaming.is_busy)

    def _see_supervisor(self) -> None:
        """Supervisor and session keep each other alive. Raises SessionTaken."""
        if not self.lease.beat():
            raise SessionTaken(f"{self.order.name} was taken over while this process stood still")
        now = time.monotonic()
        if self.supervised and now >= self._next_supervisor_s:
            self._next_supervisor_s = now + SUPERVISOR_S
            ensure_supervisor(self.project.root)

    def _obey(self) -> None:
        """What the user asked for last becomes the phase."""
        wished, phase = self.folder.wished(), self.folder.phase()
        wanted = {"run": RUNNING, "pause": PAUSED, "finish": FINISHING, "stop": STOPPED}[wished]
        if phase in OVER or wanted == phase:
            return
        if phase == PAUSED and wanted in (RUNNING, FINISHING):
            hold(self.project, self.jobs)
        self.folder.set_phase(wanted)
        self.log.event(f"live-{wanted}", "")

    def _look_for_files(self, phase: str) -> None:
        now = time.monotonic()
        if now < self._next_look_s:
            return
        self._looks_at_end += phase == FINISHING
        self._next_look_s = now + self.order.poll_s
        for new in self.watcher.look():
            self._take(new)
        if now >= self._next_aside_s:
            self._next_aside_s = now + LOOK_AT_ASIDE_S
            self._look_at_asides()

    def _take(self, new: NewMovie) -> None:
        link_into_project(new.raw)
        movie = self.known.enter(new)
        self.pace.rate_in.tick()
        self.routing.route(movie)

    def _look_at_asides(self) -> None:
        """Movies set aside are tried again when their file changed."""
        for number in list(self.known.counts.failed):
            movie = self.known.movie(number)
            if file_stamp(Path(movie.path)) not in (movie.stamp, "missing"):
                self._again(movie)

    def _read_requests(self) -> None:
        """Movies that the user wants tried again: failed ones, and those with edited picks."""
        path = self.folder.requests_file
        if not path.exists():
            return
        numbers = read_json(path).get("again", [])
        path.unlink(missing_ok=True)
        for number in numbers:
            if 1 <= number <= len(self.known.ledger.movies):
                self._again(self.known.movie(number))

    def _again(self, movie: Movie) -> None:
        self.results.forget(movie)
        self.known.try_again(movie)
        self.routing.route(movie)

    def _read_changes(self) -> None:
        """After a change of what is asked for, everybody is looked at."""
        if self.known.read_changes():
            self.routing.redo_from = 1

    @property
    def accepted_particles(self) -> int:
        return self.known.counts.particles

    @property
    def listed_particles(self) -> int:
        return self.listing.particles

    @property
    def is_to_finish(self) -> bool:
        """Whether a person still wants the end that the session works at."""
        return self.folder.wished() == "finish"

    def lists_cover(self, since_s: float) -> bool:
        """Whether the lists were brought up to date after a (monotonic) time."""
        return self.listing.covers(since_s)

    def tell(self) -> None:
        """Write the status file now."""
        tell_status(self, self.folder.phase())

    @property
    def _is_busy(self) -> bool:
        return bool(self.lanes.in_hand)

    def _show(self, phase: str) -> None:
        now = time.monotonic()
        if now >= self._next_status_s:
            self._next_status_s = now + STATUS_S
            tell_status(self, phase)

    def _rest(self) -> None:
        """Paused: when all is written, workers end and the jobs are anybody's."""
        if self._is_busy or not self.listing.is_current:
            return
        if any(lane.worker is not None for lane in self.lanes.lanes):
            self.lanes.close()
            release(self.project, self.jobs)

    def _is_drained(self) -> bool:
        """Whether everything that can be done is done and listed."""
        candidates = any(each.info is not None for each in self.watcher.waiting)
        return not (
            self._is_busy
            or len(self.routing.queues)
            or candidates
            or not self.listing.is_current
            or not self.routing.is_settled
            or self._looks_at_end < 2
        )

    def _finish(self) -> bool:
        from verglas.scheduler.live.reporting.writing import write_report

        release(self.project, self.jobs)
        self.streaming.run_last()
        if self.streaming.unlike_s and not self._cleaned:
            self._cleaned = True
            hold(self.project, self.jobs)
            return True
        if not MapEnd(self.map, self).run():
            hold(self.project, self.jobs)
            return True
        tell_status(self, FINISHED)
        with suppress(OSError):
            write_report(self.project, self.folder)
        self.folder.set_phase(FINISHED)
        self.log.event("live-finished", f"{len(self.known.ledger.movies)} movies")
        return False

    def _stop(self, phase: str) -> bool:
        release(self.project, self.jobs)
        tell_status(self, phase)
        return False
