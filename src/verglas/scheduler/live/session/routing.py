"""Where a movie goes next: which stage is due for it, and which worker takes it there."""

from __future__ import annotations

from verglas.jobs.chain import EXTRACTION, PICKING, STAGES
from verglas.scheduler.live.record.edited_picks import edited_picks
from verglas.scheduler.live.record.ledger import INDEX, Movie
from verglas.scheduler.live.record.lists import movie_alone
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.session.known import Known
from verglas.scheduler.live.session.stage_queues import StageQueues
from verglas.scheduler.live.session.stage_work import StageTask, WarmUp
from verglas.scheduler.live.session.worker_lanes import Lanes

REDO_BATCH = 500  # movies looked at in one turn after a change of settings


class Routing:
    """Movies on their way through the stages of a session."""

    def __init__(self, known: Known, lanes: Lanes, log: SessionLog) -> None:
        self.known, self.lanes, self.log = known, lanes, log
        self.queues = StageQueues(known.order.first)
        # input of the next stage, of movies on their way, by the stage that made it
        self.lists: dict[int, dict[str, bytes]] = {}
        self.redo_from = 1  # movies from this number on have to be looked at again

    def route(self, movie: Movie, *, late: bool = False) -> None:
        """Queue a movie for the first stage that is due, or see that it is finished."""
        if movie.is_aside:
            self.leave(movie)
            return
        for index, stage in enumerate(STAGES):
            if stage == EXTRACTION and self.known.verdict(movie)[0]:
                break
            have = movie.made[index]
            if have <= 0 or self.known.settings.wanted(stage, movie.number, have) != have:
                self.queues.add(self._first_with_list(movie, index), movie.number, late=late)
                return
        self.leave(movie)

    def leave(self, movie: Movie) -> None:
        """Nothing is left to do for a movie (for now)."""
        self.lists.pop(movie.number, None)
        self.known.seen.pop(movie.number, None)

    def note_list(self, movie: Movie, stage: str, listed: bytes, *, kept: bool) -> None:
        """A stage's result as input of the next; a new result makes those of later stages stale."""
        lists = self.lists.setdefault(movie.number, {})
        if not kept:
            for later in STAGES[INDEX[stage] + 1 :]:
                lists.pop(later, None)
        lists[stage] = listed

    def hand_out(self) -> None:
        """Give idle workers the movies that are furthest on their way."""
        for lane in self.lanes.idle():
            task = self._next_task(lane.device)
            if task is not None:
                self.lanes.give(lane, task)

    def warm_up(self) -> None:
        """Workers import what they need before the first movie comes."""
        for lane in self.lanes.idle():
            self.lanes.give(lane, WarmUp())

    def redo(self) -> None:
        """After a change (or a start) go through all movies, some in every turn."""
        if self.is_settled:
            return
        movies = self.known.ledger.movies
        upto = min(len(movies), self.redo_from + REDO_BATCH - 1)
        in_hand = {task.number for task in self.lanes.in_hand}
        for movie in movies[self.redo_from - 1 : upto]:
            self.known.count(movie)
            if movie.number not in in_hand and not movie.is_aside:
                self.route(movie, late=all(movie.made))
        self.redo_from = upto + 1

    @property
    def is_settled(self) -> bool:
        """Whether every movie was looked at since the last change."""
        return self.redo_from > len(self.known.ledger.movies)

    def _first_with_list(self, movie: Movie, index: int) -> str:
        """The due stage, or the one before it whose list (not kept on disc) has to be made again."""
        lists = self.lists.get(movie.number, {})
        while index > 0 and STAGES[min(index, 2) - 1] not in lists:
            index = min(index, 2) - 1
        return STAGES[index]

    def _next_task(self, device: str) -> StageTask | None:
        for stage in reversed(STAGES):
            devices = self.known.order.devices_of(stage)
            usable = [each for each in devices if each not in self.lanes.benched]
            if device not in usable and usable:
                continue
            number = self.queues.take(stage)
            if number is not None:
                return self._task(self.known.movie(number), stage)
        return None

    def _task(self, movie: Movie, stage: str) -> StageTask:
        known, index = self.known, INDEX[stage]
        have = movie.made[index]
        wanted = known.settings.wanted(stage, movie.number, abs(have))
        source = STAGES[min(index, 2) - 1]  # picking and extraction take the same list
        listed = (
            movie_alone(known.groups.optics, movie.name, movie.group)
            if index == 0
            else self.lists[movie.number][source]
        )
        again = have != 0 and have != wanted
        return StageTask(
            movie.number,
            stage,
            known.jobs[stage],
            known.settings.options(stage, wanted),
            wanted,
            listed,
            again,
            len(self.lanes.lanes),
            known.order.memory_bytes,
            again and stage == PICKING and self._picks_are_kept(movie),
        )

    def _picks_are_kept(self, movie: Movie) -> bool:
        """Whether somebody edited the picks: then they are kept, whatever the settings say."""
        known = self.known
        if edited_picks(known.folder.root, known.jobs, movie) is None:
            known.ledger.note_picking(movie)
            return False
        self.log.event("picks-kept", f"{movie.micrograph}: picks edited by hand are kept")
        return True
