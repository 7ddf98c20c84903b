"""Where a movie goes next: which stage is due for it, and which worker takes it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verglas.scheduler.live.record.edited_picks import edited_picks
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.lists import movie_alone
from verglas.scheduler.live.record.order import STAGES
from verglas.scheduler.live.session.stage_queues import StageQueues
from verglas.scheduler.live.session.stage_work import StageTask, WarmUp

if TYPE_CHECKING:
    from verglas.scheduler.live.session.session import LiveSession

REDO_BATCH = 500  # movies looked at in one turn after a change of settings


class Routing:
    """Movies on their way through the stages of a session."""

    def __init__(self, session: LiveSession) -> None:
        self.session = session
        self.queues = StageQueues(session.order.first)
        self.lists: dict[
            int, dict[str, bytes]
        ] = {}  # of movies on their way, by stage that made it
        self.redo_from = 1  # movies from this number on have to be looked at again

    def route(self, movie: Movie, *, late: bool = False) -> None:
        """Queue a movie for the first stage that is due, or see that it is finished."""
        if movie.is_aside:
            self.leave(movie)
            return
        for index, stage in enumerate(STAGES):
            if stage == "Extract" and self.session.verdict(movie)[0]:
                break
            have = movie.made[index]
            if have <= 0 or self.session.settings.wanted(stage, movie.number, have) != have:
                self.queues.add(self._first_with_list(movie, index), movie.number, late=late)
                return
        self.leave(movie)

    def leave(self, movie: Movie) -> None:
        """Nothing is left to do for a movie (for now)."""
        self.lists.pop(movie.number, None)
        self.session.seen.pop(movie.number, None)

    def note_list(self, movie: Movie, stage: str, listed: bytes, *, kept: bool) -> None:
        """A stage's result as input of the next; a new result makes those of later stages stale."""
        lists = self.lists.setdefault(movie.number, {})
        if not kept:
            for later in STAGES[INDEX[stage] + 1 :]:
                lists.pop(later, None)
        lists[stage] = listed

    def hand_out(self) -> None:
        """Give idle workers the movies that are furthest on their way."""
        lanes = self.session.lanes
        for lane in lanes.idle():
            task = self._next_task(lane.device)
            if task is not None:
                lanes.give(lane, task)

    def warm_up(self) -> None:
        """Workers import what they need before the first movie comes."""
        for lane in self.session.lanes.idle():
            self.session.lanes.give(lane, WarmUp())

    def redo(self) -> None:
        """After a change (or a start) go through all movies, some in every turn."""
        session = self.session
        if self.is_settled:
            return
        upto = min(len(session.ledger.movies), self.redo_from + REDO_BATCH - 1)
        in_hand = {task.number for task in session.lanes.in_hand}
        for movie in session.ledger.movies[self.redo_from - 1 : upto]:
            session.counts.update(movie, session.verdict(movie)[0])
            if movie.number not in in_hand and not movie.is_aside:
                self.route(movie, late=all(movie.made))
        self.redo_from = upto + 1
        session.listing.dirty = True

    @property
    def is_settled(self) -> bool:
        """Whether every movie was looked at since the last change."""
        return self.redo_from > len(self.session.ledger.movies)

    def _first_with_list(self, movie: Movie, index: int) -> str:
        """The due stage, or the one before it whose list (not kept on disc) has to be made again."""
        lists = self.lists.get(movie.number, {})
        while index > 0 and STAGES[min(index, 2) - 1] not in lists:
            index = min(index, 2) - 1
        return STAGES[index]

    def _next_task(self, device: str) -> StageTask | None:
        session = self.session
        for stage in reversed(STAGES):
            usable = [
                each
                for each in session.order.devices_of(stage)
                if each not in session.lanes.benched
            ]
            if device not in usable and usable:
                continue
            number = self.queues.take(stage)
            if number is not None:
                return self._task(session.ledger.movies[number - 1], stage)
        return None

    def _task(self, movie: Movie, stage: str) -> StageTask:
        session, index = self.session, INDEX[stage]
        have = movie.made[index]
        wanted = session.settings.wanted(stage, movie.number, abs(have))
        source = STAGES[min(index, 2) - 1]  # picking and extraction take the same list
        listed = (
            movie_alone(session.groups.optics, movie.name, movie.group)
            if index == 0
            else self.lists[movie.number][source]
        )
        again = have != 0 and have != wanted
        return StageTask(
            movie.number, stage, session.jobs[stage], session.settings.options(stage, wanted),
            wanted, listed, again, len(session.lanes.lanes), session.order.memory_bytes,
            again and stage == "AutoPick" and self._picks_are_kept(movie),
        )  # fmt: skip

    def _picks_are_kept(self, movie: Movie) -> bool:
        """Whether somebody edited the picks: then they are kept, whatever the settings say."""
        session = self.session
        if edited_picks(session.project.root, session.jobs, movie) is None:
            session.ledger.note_picking(movie)
            return False
        session.event("picks-kept", f"{movie.micrograph}: picks edited by hand are kept")
        return True
