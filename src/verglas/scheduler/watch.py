"""What the supervisor looks at besides processes: new files, lag, failed schedules, maps that wait, the disc."""

from __future__ import annotations

import time
from pathlib import Path

from verglas.formats.star import StarError
from verglas.jobs.chain import CTF, LISTS, MOTION
from verglas.project.project import Project
from verglas.scheduler.alarms import clear_alarm, raise_alarm
from verglas.scheduler.disc import disc_use, free_gb, movie_count
from verglas.scheduler.events import record_event
from verglas.scheduler.input_lists import count_rows
from verglas.scheduler.live.record.map_state import DOUBTFUL, MapState
from verglas.scheduler.live.record.order import all_sessions
from verglas.scheduler.schedule import all_schedules
from verglas.scheduler.settings import load_settings

EVERY_S = 30.0
DISC_EVERY_S = 3600.0


class Watch:
    """Looks now and then; remembers by its own monotonic clock when something last moved."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._movies, self._moved_s = -1, time.monotonic()
        self._next_s = 0.0
        self._next_disc_s = 0.0
        self._at_last_report = (0, 0.0)

    def look(self) -> None:
        """Call often; does something every 30 s. Nothing here may end the supervisor."""
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + EVERY_S
        try:
            self._new_files(now)
            self._schedules()
            self._maps()
            self._disc(now)
        except (OSError, StarError, ValueError) as error:
            record_event(self.root, "watch-failed", str(error))

    def _new_files(self, now: float) -> None:
        settings = load_settings(self.root)
        project = Project(self.root)
        movies = movie_count(project)
        if movies != self._movies:
            self._movies, self._moved_s = movies, now
            clear_alarm(self.root, "no-new-file", f"movies come in again: {movies}")
        elif now - self._moved_s > settings.no_new_file_min * 60:
            text = f"no new movie for {(now - self._moved_s) / 60:.0f} minutes ({movies} so far)"
            raise_alarm(self.root, "no-new-file", text)
        behind = movies - _least_done(project, movies)
        if behind > settings.lag_movies:
            raise_alarm(self.root, "lag", f"processing is {behind} movies behind")
        elif behind < settings.lag_movies / 2:
            clear_alarm(self.root, "lag", "processing has caught up")

    def _schedules(self) -> None:
        for folder in all_schedules(self.root):
            state, cause = folder.progress(), f"schedule-{folder.name}"
            if state.phase == "failed":
                raise_alarm(self.root, cause, f"schedule {folder.name} stopped: {state.message}")
            elif not state.is_over:
                clear_alarm(self.root, cause, f"schedule {folder.name} is running again")

    def _maps(self) -> None:
        """A session that waits for a person says so."""
        for folder in all_sessions(self.root):
            state, name = MapState.read(folder), folder.name
            doubtful, symmetry = f"map-doubtful-{name}", f"map-symmetry-{name}"
            if state.state == DOUBTFUL:
                raise_alarm(self.root, doubtful, f"the map of {name} waits for you: {state.believable}")
            else:
                clear_alarm(self.root, doubtful, f"the map of {name} goes on")
            if state.waits_for_symmetry:
                best = state.proposed_symmetry[0][0]
                raise_alarm(
                    self.root, symmetry, f"the map of {name}: {best} is proposed, and waits to be confirmed"
                )
            else:
                clear_alarm(self.root, symmetry, f"the symmetry of {name} is {state.symmetry}")

    def _disc(self, now: float) -> None:
        settings = load_settings(self.root)
        free = free_gb(self.root)
        if free < settings.disc_floor_gb:
            raise_alarm(self.root, "disc", f"only {free:.1f} GB are free: jobs pause")
        elif free > settings.disc_floor_gb * 1.2:
            clear_alarm(self.root, "disc", f"{free:.0f} GB are free again: jobs go on")
        if now < self._next_disc_s:
            return
        self._next_disc_s = now + DISC_EVERY_S
        use = disc_use(Project(self.root))
        before, when = self._at_last_report
        per_hour = 3600 * (use.movies - before) / max(now - when, 1.0) if when else 0.0
        self._at_last_report = (use.movies, now)
        record_event(self.root, "disc", use.line(per_hour, settings.disc_floor_gb))


def _least_done(project: Project, movies: int) -> int:
    """Rows of the shortest list among motion correction and CTF estimation."""
    patterns = [f"{folder}/job*/{LISTS[folder]}" for folder in (MOTION, CTF)]
    paths = [path for pattern in patterns for path in project.root.glob(pattern)]
    return min([movies, *(count_rows(path.read_bytes()) for path in paths)])
