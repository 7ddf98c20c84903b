"""The end of a session's map: what a batch refinement still needs, begun from what the updates left.

The project then holds ordinary jobs: the InitialModel, a Refine3D of its own, a mask and a sharpened map. What was
finished of the same particles is not done again, so a kill costs the job in hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from verglas.formats.star import read_star
from verglas.jobs.chain import INITIAL_MODEL, MASK, REFINEMENT, SHARPENING
from verglas.project.change import Change
from verglas.project.editing import enter_edited
from verglas.project.registration import LoadedJob
from verglas.scheduler.launch import Launched, launch, launch_as
from verglas.scheduler.live.record.map_state import (
    DOUBTFUL,
    FAILED,
    FINAL,
    LAST_RUN,
    OFF,
    UP_TO_DATE,
    WAITING,
    MapWish,
)
from verglas.scheduler.live.streaming.map import StreamingMap
from verglas.scheduler.live.streaming.map_jobs import LIST, MAP, last_map, mask_of, sharpened
from verglas.scheduler.live.streaming.own_job import Ended

WAIT_S = 1.0
ANSWERS_S = 60.0


class Session(Protocol):
    """What the end of the map needs of its session."""

    @property
    def is_to_finish(self) -> bool:
        """Whether a person still wants the end."""
        ...

    def tell(self) -> None:
        """Bring the status up to date while the session waits."""
        ...


class Interrupted(Exception):
    """A person wants something else of the session, or a job failed."""


class MapEnd:
    """Brings a session's map to its end, step by step, waiting for each."""

    def __init__(self, streaming: StreamingMap, session: Session) -> None:
        self.map, self.session = streaming, session
        self.job = streaming.own_job

    def run(self) -> bool:
        """Bring it to its end, as far as there is one; False where a person wants something else meanwhile."""
        wish = MapWish.read(self.map.folder)
        self.map.heed(wish)
        if self.map.state.state == OFF:
            return True
        try:
            self._settle()
            if self._first(wish):
                self._update()
                self._jobs()
                self.map.answering.look(ANSWERS_S)  # the report tells them
        except Interrupted:
            self.map.drop()
            if not self.session.is_to_finish:
                self.map.say(UP_TO_DATE if self.map.state.updates else WAITING)
        return self.session.is_to_finish

    def _settle(self) -> None:
        """What runs comes to its end."""
        while self.map.is_busy:
            self._wait(self.map.look)

    def _first(self, wish: MapWish) -> bool:
        """Whether there is a first map to go on with; one is made if there are particles for it."""
        state = self.map.state
        if not state.believable:
            self.map.list.forget()
            good, missing = self.map.list.enough(wish)
            if good is None:
                self.map.say(
                    WAITING, f"the session ended without a map: {missing or 'its lists are missing'}"
                )
                return False
            first = good
            self._through(lambda: self.map.begin_first(first), self.map.look)
        if not state.may_be_believed:
            self.map.say(DOUBTFUL, "the session ended without a map: accept the first one and finish again")
        return state.may_be_believed

    def _update(self) -> None:
        """All particles get into the map; nothing is done where they are in it."""
        wish = MapWish.read(self.map.folder)  # somebody may have said the symmetry of the first map
        self.map.heed(wish)
        self._settle()
        if not self.map.state.job or self.map.list.has_moved(self.map.state, at_all=True):
            self._through(lambda: self.map.begin_update(wish), self.map.look)

    def _jobs(self) -> None:
        state, order = self.map.state, self.map.order
        listed = (self.map.project.root / state.list_job / LIST).read_bytes()
        of = f"{hashlib.sha256(listed).hexdigest()[:16]} {state.job}"
        if state.final_of != of:
            state.final_of, state.final_done, state.final_begun = of, [], ""
        try:
            asked = last_map(order, state.job, state.symmetry)
        except (OSError, ValueError, KeyError) as error:
            self.map.say(FAILED, f"{state.job} cannot be gone on with: {error}")
            raise Interrupted from error
        self._last(REFINEMENT, asked)
        refinement = state.final_jobs[REFINEMENT]
        self._last(MASK, mask_of(order, refinement))
        self._last(SHARPENING, sharpened(order, refinement, state.final_jobs[MASK]))
        state.final_jobs[INITIAL_MODEL] = state.initial_job
        state.map = refinement + MAP
        sharp = self.map.project.root / state.final_jobs[SHARPENING] / "postprocess.star"
        with suppress(OSError, ValueError, KeyError):  # what somebody has cleaned away
            state.resolution_angst = read_star(sharp)["general"].number("rlnFinalResolution")
        self.map.say(FINAL)

    def _last(self, folder: str, asked: LoadedJob) -> None:
        """Run one of the last jobs; that of an earlier end is repeated in its place."""
        state = self.map.state
        name, title = state.final_jobs.get(folder, ""), asked.job.type.title
        if folder in state.final_done:
            return
        self.map.say(LAST_RUN, title)
        self.job.adopt(name, unfinished=state.final_begun == folder)

        def note(change: Change, entered: str) -> None:
            state.final_jobs[folder] = entered
            state.enter(change, self.map.folder)

        def start() -> Launched:
            known = state.final_jobs.get(folder, "")
            if known not in self.map.project.graph().processes:
                return launch_as(self.map.project, asked, note)
            with self.map.project.change(f"options of {known}") as change:
                enter_edited(change, replace(asked, name=known))
            return launch(self.map.project, known)

        def begin() -> bool:
            if not self.job.start(title, start):
                self.map.say(FAILED, f"{title} could not be started")
                return False
            state.final_begun = folder
            self.map.say(LAST_RUN, title)
            return True

        self._through(begin, self._look_at_last)
        state.final_done.append(folder)

    def _look_at_last(self, wait_s: float) -> Ended | None:
        ended = self.job.look(wait_s)
        if ended is not None and not ended.well and not ended.again:
            self.map.say(FAILED, ended.reason)
        return ended

    def _through(self, begin: Callable[[], bool], look: Callable[[float], Ended | None]) -> None:
        """Begin something, unless it runs, and wait for a good end; killed, it begins again. Raises Interrupted."""
        while True:
            if not self.job.is_busy and not begin():
                raise Interrupted
            ended = None
            while ended is None and self.job.is_busy:
                ended = self._wait(look)
            if ended is not None and ended.well:
                return
            if ended is not None and not ended.again:
                raise Interrupted

    def _wait(self, look: Callable[[float], Ended | None]) -> Ended | None:
        self.session.tell()
        if not self.session.is_to_finish:
            raise Interrupted
        return look(WAIT_S)
