"""The map of a live session: made by itself when the 2D classes allow it, and updated while particles arrive.

First an InitialModel job on the good particles (good_particles.py), in C1 unless somebody said the symmetry. Its own
verdict decides whether the session goes on: a doubtful one waits for a person. Then a Refine3D job, which is
updated with every list of particles; what is no longer in the list is taken out again. A symmetry that the first map
shows is proposed, not taken: until a person confirms it, the refinement goes on in C1. Another symmetry, another
first map and images of another size begin a refinement of their own and leave what there was.
"""

from __future__ import annotations

import time

from verglas.jobs.initialmodel.verdict_file import Verdict
from verglas.project.change import Change
from verglas.project.project import Project
from verglas.project.registration import LoadedJob
from verglas.scheduler.launch import Launched, launch, launch_as
from verglas.scheduler.live.record.map_state import (
    DOUBTFUL,
    FAILED,
    FINAL,
    GOOD,
    INITIAL,
    OFF,
    UP_TO_DATE,
    UPDATING,
    WAITING,
    MapState,
    MapWish,
    read_history,
)
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.streaming.answering import Answering
from verglas.scheduler.live.streaming.good_particles import Good
from verglas.scheduler.live.streaming.map_jobs import (
    FIRST_MAP,
    LIST,
    MAP,
    diameter_angst,
    first_map,
    updated_map,
)
from verglas.scheduler.live.streaming.map_list import MapList, Session
from verglas.scheduler.live.streaming.own_job import LOOK_S, Ended, OwnJob


class StreamingMap:
    """The first map and the refinement of a session at work."""

    def __init__(self, project: Project, folder: LiveFolder, session: Session, log: SessionLog) -> None:
        self.project, self.folder, self.log = project, folder, log
        self.order, self.state = folder.order(), MapState.read(folder)
        self.list = MapList(project, folder, session, log)
        self.own_job = OwnJob(project, log, "live-map")
        self.answering = Answering(project, folder, log)
        self._rest_until_s = self._begun_s = 0.0
        self._written = b""
        if self.state.state in (INITIAL, UPDATING):  # begun by an earlier life of the session
            name = self.state.initial_job if self.state.state == INITIAL else self.state.job
            self.own_job.adopt(name, unfinished=True)

    @property
    def is_busy(self) -> bool:
        return self.own_job.is_busy

    def turn(self, lag_s: float, *, may_begin: bool = True) -> None:
        """Look after what runs; begin what is due when movies keep up."""
        self.answering.look()
        wish = MapWish.read(self.folder)
        self.heed(wish)
        calm = may_begin and lag_s <= self.order.max_lag_for_2d_s and self.list.is_there
        if self.is_busy:
            self.look()
        elif self.state.state != OFF and calm and self.own_job.may_begin:
            self._next_step(wish)

    def heed(self, wish: MapWish) -> None:
        """What persons said since the last look."""
        wanted = wish.mode != OFF and diameter_angst(self.order) > 0
        state = self.state
        if not wanted and state.state != OFF:
            self.drop()
            state.state, state.why = OFF, ""
        elif wanted and state.state == OFF:
            state.state = FINAL if state.final_done else UP_TO_DATE if state.updates else WAITING
        if wish.again > state.again:
            self.drop()
            self.state = state = MapState(list_job=state.list_job, again=wish.again)
        state.accepted = wish.accepted
        if wish.symmetry and (wish.symmetry, wish.by) != (state.symmetry, state.confirmed_by):
            self._take_symmetry(wish)
        self._write()

    def _take_symmetry(self, wish: MapWish) -> None:
        state = self.state
        if state.job and wish.symmetry != state.symmetry:
            self.drop()
            self._begin_anew()
        state.symmetry, state.confirmed_by = wish.symmetry, wish.by
        self.own_job.not_before_s = 0.0

    def drop(self) -> None:
        """What runs is not wanted any more; the list counts as one that no run has seen."""
        self.own_job.stop()
        self.list.forget()
        self.state.of_classes = ""

    def _begin_anew(self) -> None:
        """The next update is the first of a new refinement."""
        self.state.job, self.state.updates, self.state.state = "", 0, UP_TO_DATE

    def _next_step(self, wish: MapWish) -> None:
        state = self.state
        if not state.believable:
            self._begin_first(wish)
        elif not state.may_be_believed:
            self.say(DOUBTFUL, "a person has to say: verglas live map --accept, or --again")
        elif not state.job or (time.monotonic() >= self._rest_until_s and self.list.has_moved(state)):
            self.begin_update(wish)

    def _begin_first(self, wish: MapWish) -> None:
        good, missing = self.list.enough(wish)
        if missing:
            self.say(WAITING, missing)
        if good is not None:
            self.begin_first(good)

    def begin_first(self, good: Good) -> bool:
        """A first map of these particles; whether it was started."""
        state = self.state
        self.list.take(good, state)
        asked = first_map(self.order, state.list_job + LIST, state.symmetry)
        return self.begin(INITIAL, f"{state.listed} particles {good.words}", state.initial_job, asked)

    def begin_update(self, wish: MapWish) -> bool:
        """The next update with the list as it is now; whether it was started."""
        good = self.list.now(wish)
        if good is None:
            return False
        state, grid = self.state, self.state.grid
        self.list.take(good, state)
        if grid != state.grid:
            self._begin_anew()
        reference = wish.reference or state.initial_job + FIRST_MAP
        asked = updated_map(self.order, state.list_job + LIST, reference, state.symmetry)
        return self.begin(UPDATING, f"with {state.listed} particles {good.words}", state.job, asked)

    def begin(self, what: str, why: str, name: str, asked: LoadedJob) -> bool:
        """Start the first map or an update: a new job, if `name` is none yet."""
        state = self.state

        def note(change: Change, entered: str) -> None:
            if what == INITIAL:
                state.initial_job = entered
            else:
                state.job, state.updates = entered, 0
            state.state, state.why = what, why
            state.enter(change, self.folder)

        def start() -> Launched:
            if name in self.project.graph().processes:
                return launch(self.project, name)
            return launch_as(self.project, asked, note)

        self._begun_s = time.monotonic()
        if not self.own_job.start(asked.job.type.title, start):
            self.say(FAILED, self.log.problems[-1])
            return False
        self.say(what, why)
        return True

    def look(self, wait_s: float = LOOK_S) -> Ended | None:
        """Take in what has ended, and how; None while it goes on."""
        ended = self.own_job.look(wait_s)
        if ended is None:
            return None
        now = time.monotonic()
        self._rest_until_s = now + (now - self._begun_s if self._begun_s and not ended.again else 0.0)
        self.list.forget()
        if not ended.well:
            self.state.of_classes = ""  # no run has seen the list
        if ended.again:
            self.say(WAITING if self.state.state == INITIAL else UP_TO_DATE, "it was killed and begins again")
        elif not ended.well:
            self.say(FAILED, ended.reason)
        elif self.state.state == INITIAL:
            self._take_first()
        else:
            self._take_update()
        return ended

    def _take_first(self) -> None:
        state = self.state
        path = self.project.root / state.initial_job / FIRST_MAP
        try:
            verdict = Verdict.read(path.with_suffix(".json"))
        except (OSError, ValueError) as error:
            self.own_job.fail(f"{state.initial_job} left no verdict: {error}")
            self.say(FAILED, str(error))
            return
        state.believable = verdict.words
        state.proposed_symmetry = [list(each) for each in verdict.symmetries]
        state.map = state.initial_job + FIRST_MAP
        self.say(UP_TO_DATE if verdict.words == GOOD else DOUBTFUL, "a first map")
        self.log.event("live-map-first", f"{state.initial_job}: {verdict.words}")

    def _take_update(self) -> None:
        state = self.state
        history = read_history(self.project.root, state.job)
        state.updates = max(state.updates + 1, len(history))
        last = history[-1] if history else {}
        state.particles = int(last.get("particles", state.listed))
        state.resolution_angst = float(last.get("resolution_angst", 0.0))
        state.map = state.job + MAP
        self.say(UP_TO_DATE)
        self.answering.ask()
        self.log.event("live-map", f"map, update {state.updates}: {state.particles} particles")

    def say(self, state: str, why: str = "") -> None:
        """Note a state, and write down all that is known."""
        self.state.state, self.state.why = state, why
        self._write()

    def _write(self) -> None:
        known = self.state.as_bytes()
        if known != self._written:
            self.state.write(self.folder)
            self._written = known
