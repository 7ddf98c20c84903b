"""From a session at work to its status file."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Protocol

from verglas.jobs.chain import EXTRACTION, PICKING, STAGES
from verglas.jobs.select.thresholds import FAILURE, MANUAL, THRESHOLD, UNLIKE
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.record.status import (
    NEWEST,
    NOT_TAKEN,
    LiveStatus,
    MicrographStatus,
    StageStatus,
    write_status,
)
from verglas.scheduler.live.session.known import Known
from verglas.scheduler.live.session.listing import Listing
from verglas.scheduler.live.session.pace import Pace
from verglas.scheduler.live.session.routing import Routing
from verglas.scheduler.live.session.watcher import Watcher
from verglas.scheduler.live.session.worker_lanes import Lanes
from verglas.scheduler.live.streaming.classes import StreamingClasses
from verglas.scheduler.live.streaming.map import StreamingMap


class AtWork(Protocol):
    """The parts of a session that its status tells of."""

    @property
    def known(self) -> Known: ...
    @property
    def pace(self) -> Pace: ...
    @property
    def log(self) -> SessionLog: ...
    @property
    def watcher(self) -> Watcher: ...
    @property
    def lanes(self) -> Lanes: ...
    @property
    def routing(self) -> Routing: ...
    @property
    def listing(self) -> Listing: ...
    @property
    def streaming(self) -> StreamingClasses: ...
    @property
    def map(self) -> StreamingMap: ...


def tell_status(session: AtWork, phase: str) -> None:
    """Write status.json; costs the same however many movies there are."""
    write_status(session.known.folder, status_now(session, phase))


def status_now(session: AtWork, phase: str) -> LiveStatus:
    counts, waiting = session.known.counts, session.watcher.waiting
    now = time.monotonic()
    kinds = counts.kinds
    asides = sum(kinds.get(kind, 0) for kind in (THRESHOLD, MANUAL, UNLIKE))
    failed = kinds.get(FAILURE, 0)
    accepted = counts.done[INDEX[PICKING]] - asides - _failed_late(session)
    return LiveStatus(
        session.known.order.name,
        phase,
        message=session.known.folder.message(),
        updated=time.time(),
        source=session.known.order.wildcard,
        found=counts.found,
        waiting_files=len(waiting),
        accepted=accepted,
        set_aside=asides,
        failed=failed,
        finished=counts.finished,
        particles=counts.particles,
        lag_s=round(session.known.lag_s, 1),
        in_per_hour=round(session.pace.rate_in.per_hour(), 1),
        done_per_hour=round(session.pace.rate_done.per_hour(), 1),
        in_range=_rounded(session.pace.rate_in.range),
        done_range=_rounded(session.pace.rate_done.range),
        rate_over_s=round(session.pace.rate_done.over_s),
        judged=accepted + asides + failed,
        latency_s=round(session.pace.latency.median, 2),
        stages=_stages(session),
        devices=_devices(session),
        newest=[_micrograph(session, movie) for movie in session.known.ledger.movies[-NEWEST:][::-1]],
        not_taken=[(each.raw.name, each.reason) for each in waiting[-NOT_TAKEN:]],
        problems=list(session.log.problems),
        classes=asdict(session.streaming.state),
        map=asdict(session.map.state),
        lists_age_s=round(now - session.listing.begun_s, 1),
        manual_rejects=kinds.get(MANUAL, 0),
        thresholds="; ".join(each.text for each in session.known.thresholds),
    )


def _rounded(pair: tuple[float, float]) -> tuple[float, float]:
    return round(pair[0], 1), round(pair[1], 1)


def _failed_late(session: AtWork) -> int:
    """Micrographs that were picked and could not be extracted."""
    return session.known.counts.failed_in.get(EXTRACTION, 0)


def _stages(session: AtWork) -> list[StageStatus]:
    in_hand = [task.stage for task in session.lanes.in_hand]
    return [
        StageStatus(
            stage,
            session.known.jobs[stage],
            session.known.counts.done[index],
            session.known.counts.failed_in.get(stage, 0),
            session.routing.queues.waiting(stage),
            in_hand.count(stage),
            round(session.pace.costs[stage].mean, 3),
        )
        for index, stage in enumerate(STAGES)
    ]


def _devices(session: AtWork) -> dict[str, str]:
    found: dict[str, str] = {}
    for lane in session.lanes.lanes:
        working = lane.task is not None or found.get(lane.device) == "working"
        found[lane.device] = "working" if working else "idle"
    for device, reason in session.lanes.benched.items():
        found[device] = f"benched: {reason}"
    return found


def _micrograph(session: AtWork, movie: Movie) -> MicrographStatus:
    kind, reason = ("", "")
    if movie.is_aside or movie.made[INDEX[PICKING]]:
        kind, reason = session.known.verdict(movie)
    done = [stage for stage, made in zip(STAGES, movie.made) if made > 0]
    return MicrographStatus(
        movie.number,
        movie.name,
        movie.micrograph,
        done[-1] if done else "",
        movie.figures,
        reason,
        kind,
        movie.taken_s,
        movie.ready_s,
    )
