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

from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.importing.raw_files import link_into_project, raw_file
from verglas.jobs.select.thresholds import (
    FAILURE,
    UNLIKE_FILE,
    Threshold,
    judge,
    parse_thresholds,
    read_verdicts,
)
from verglas.project.project import Project
from verglas.scheduler.events import record_event
from verglas.scheduler.live.record.chain import hold, note_execution, release
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import (
    FINISHED,
    FINISHING,
    OVER,
    PAUSED,
    RUNNING,
    STAGES,
    STOPPED,
    LiveFolder,
    read_json,
)
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.record.status import Rate, Recent
from verglas.scheduler.live.session.counts import Counts
from verglas.scheduler.live.session.listing import Listing
from verglas.scheduler.live.session.results import Results
from verglas.scheduler.live.session.routing import Routing
from verglas.scheduler.live.session.stage_work import work
from verglas.scheduler.live.session.streaming_classes import StreamingClasses
from verglas.scheduler.live.session.telling import tell_status
from verglas.scheduler.live.session.watcher import NewMovie, Watcher
from verglas.scheduler.live.session.worker_lanes import Lanes
from verglas.scheduler.supervisor import ensure_supervisor

TURN_S = 0.25  # longest wait for a worker before looking around
STATUS_S = 2.0
SUPERVISOR_S = 2.0
LOOK_AT_ASIDE_S = 10.0


class LiveSession:
    """One session from taking over to release."""

    def __init__(self, project: Project, folder: LiveFolder, *, supervised: bool = False) -> None:
        self.supervised = supervised
        self.warm = "VERGLAS_JOB_TYPES" not in os.environ  # stand-ins need no numerics
        self.project, self.folder, self.order = project, folder, folder.order()
        self.jobs = self.order.jobs
        self.ledger = Ledger(folder.journal)
        self.settings = StageSettings.read(folder.settings_file)
        self.lanes = Lanes(work, self.order.all_devices, self.order.workers, self.order.threads)
        self.groups = BeamShiftGroups.read(folder.path / "groups.json")
        self.watcher = Watcher(
            self.order.wildcard, Path(self.jobs["Import"].rstrip("/")), self.order.settle_s,
            self.order.n_frames,
        )  # fmt: skip
        self.rate_in, self.rate_done = Rate(), Rate()
        self.latency = Recent()
        self.costs = {stage: Recent() for stage in STAGES}
        self.counts = Counts()
        self.problems: list[str] = []
        self.seen: dict[int, float] = {}  # movie -> monotonic time of its taking, while on its way
        self._next_supervisor_s = self._next_status_s = self._next_look_s = self._next_aside_s = 0.0
        self._cleaned = False  # the last classes were made again without what is unlike the rest
        self._looks_at_end = 0  # the last files may have come with the wish to finish
        self._stamps: dict[str, str] = {}  # of files that change the session: settings, verdicts
        self.thresholds: tuple[Threshold, ...] = ()
        self.manual: dict[str, tuple[str, str]] = {}
        self.routing = Routing(self)
        self.results = Results(self)
        self.listing = Listing(self)
        self.streaming = StreamingClasses(self)

    def run(self) -> int:
        """Work until the session is over; the exit code."""
        self.folder.take()
        self._begin()
        try:
            while self._turn():
                pass
        finally:
            self.lanes.close()
            self.listing.lanes.close()
            self.ledger.close()
        return 0

    def _begin(self) -> None:
        self.ledger.read()
        for movie in self.ledger.movies:
            self._remember(movie)
            self.counts.update(movie)
        self.groups.write(self.folder.path / "groups.json")
        self._read_changes()
        note_execution(self.project, self.jobs)
        if self.folder.phase() != PAUSED:
            hold(self.project, self.jobs)
        if self.folder.phase() != PAUSED and self.warm:
            self.routing.warm_up()
        self.event("live-started", f"{len(self.ledger.movies)} movies known")

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
            self.routing.hand_out()
        self.results.take(TURN_S)
        self.listing.turn(phase)
        if phase == RUNNING:
            self.streaming.turn(self.lag_s, self.listing.particles)
        self._show(phase)
        if phase == PAUSED:
            self._rest()
        if phase == FINISHING and self._is_drained():
            return self._finish()
        return True

    def _see_supervisor(self) -> None:
        """Supervisor and session keep each other alive."""
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
        self.event(f"live-{wanted}", "")

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
        group, fresh = self.groups.assign(new.raw.path)
        if fresh:
            self.groups.write(self.folder.path / "groups.json")
        link_into_project(new.raw)
        movie = self.ledger.take(
            new.raw.name, str(new.raw.path), new.stamp, group=group, frames=new.info.n_frames
        )
        self.counts.update(movie)
        self.seen[movie.number] = new.since_s
        self.rate_in.tick()
        self.listing.dirty = True
        self.routing.route(movie)

    def _look_at_asides(self) -> None:
        """Movies set aside are tried again when their file changed."""
        for number in list(self.counts.failed):
            movie = self.ledger.movies[number - 1]
            stamp = file_stamp(Path(movie.path))
            if stamp not in (movie.stamp, "missing"):
                self._again(movie)

    def verdict(self, movie: Movie) -> tuple[str, str]:
        """("", "") for an accepted movie, else (kind, reason)."""
        if movie.is_aside:
            return FAILURE, movie.aside
        return judge(movie.micrograph, movie.figures, self.thresholds, self.manual)

    @property
    def lag_s(self) -> float:
        """Age of the oldest movie that is still on its way."""
        now = time.monotonic()
        return now - min(self.seen.values(), default=now)

    def tell(self) -> None:
        """Write the status file now."""
        tell_status(self, self.folder.phase())

    def _read_requests(self) -> None:
        """Movies that the user wants tried again: failed ones, and those with edited picks."""
        path = self.folder.requests_file
        if not path.exists():
            return
        numbers = read_json(path).get("again", [])
        path.unlink(missing_ok=True)
        for number in numbers:
            if 1 <= number <= len(self.ledger.movies):
                self._again(self.ledger.movies[number - 1])

    def _again(self, movie: Movie) -> None:
        self.results.forget(movie)
        if movie.is_aside:
            self.ledger.again(movie, file_stamp(Path(movie.path)))
        else:
            self.ledger.make_stale(movie, "AutoPick")
        self.counts.update(movie)
        self.routing.route(movie)
        self.listing.dirty = True

    def _read_changes(self) -> None:
        """Settings, thresholds and verdicts may change at any time; then everybody is looked at."""
        files = {
            "settings": self.folder.settings_file,
            "thresholds": self.project.root / self.jobs["Select"] / "job.star",
            "manual": self.folder.manual_file,
            "unlike": self.folder.manual_file.with_name(UNLIKE_FILE),
        }
        stamps = {key: file_stamp(path) for key, path in files.items()}
        if stamps == self._stamps:
            return
        from verglas.project.job_star import read_settings

        self.settings = StageSettings.read(files["settings"])
        self.select_options = dict(read_settings(files["thresholds"].parent).options)
        self.thresholds = parse_thresholds(self.select_options.get("thresholds", ""))
        self.manual = read_verdicts(self.folder.manual_file)
        self._stamps, self.routing.redo_from, self.listing.dirty = stamps, 1, True

    def complain(self, text: str) -> None:
        if text not in self.problems:
            self.problems = [*self.problems[-9:], text]
            self.event("live-problem", text)

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
            self._is_busy or len(self.routing.queues) or candidates or not self.listing.is_current
            or not self.routing.is_settled
            or self._looks_at_end < 2
        )  # fmt: skip

    def _finish(self) -> bool:
        from verglas.scheduler.live.record.report import write_report

        release(self.project, self.jobs)
        self.streaming.run_last()
        if self.streaming.unlike_s and not self._cleaned:
            self._cleaned = True
            hold(self.project, self.jobs)
            return True
        tell_status(self, FINISHED)
        with suppress(OSError):
            write_report(self.project.root, self.folder, self.ledger)
        self.folder.set_phase(FINISHED)
        self.event("live-finished", f"{len(self.ledger.movies)} movies")
        return False

    def _stop(self, phase: str) -> bool:
        release(self.project, self.jobs)
        tell_status(self, phase)
        return False

    def event(self, kind: str, text: str, **details: object) -> None:
        """A line of the project's event log."""
        record_event(self.project.root, kind, text, session=self.order.name, **details)
