"""What a session knows about its movies, and what is asked of them at this moment."""

from __future__ import annotations

import time
from pathlib import Path

from verglas.jobs.chain import PICKING, SELECTION
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.select.thresholds import (
    FAILURE,
    UNLIKE_FILE,
    Threshold,
    judge,
    parse_thresholds,
    read_verdicts,
)
from verglas.project.job_star import read_settings
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.session.counts import Counts
from verglas.scheduler.live.session.watcher import NewMovie


class Known:
    """Movies with their sums; settings, limits and verdicts in force."""

    def __init__(self, folder: LiveFolder) -> None:
        self.folder, self.order = folder, folder.order()
        self.jobs = self.order.jobs
        self.ledger = Ledger(folder.journal)
        self.counts = Counts()
        self.groups = BeamShiftGroups.read(self._groups_file)
        self.settings = StageSettings.read(folder.settings_file)
        self.select_options: dict[str, str] = {}
        self.thresholds: tuple[Threshold, ...] = ()
        self.manual: dict[str, tuple[str, str]] = {}
        self.seen: dict[int, float] = {}  # movie -> monotonic time of its taking, while on its way
        self.unlisted = True  # something has changed since the lists were brought up to date
        self._stamps: dict[str, str] = {}  # of files that change the session: settings, verdicts

    @property
    def _groups_file(self) -> Path:
        return self.folder.path / "groups.json"

    def read_journal(self) -> None:
        """Every movie of an earlier life; what it is judged as is seen to later."""
        self.ledger.read()
        for movie in self.ledger.movies:
            self.counts.update(movie)
        self.groups.write(self._groups_file)

    def read_changes(self) -> bool:
        """Settings, thresholds and verdicts may change at any time: whether they did."""
        files = {
            "settings": self.folder.settings_file,
            "thresholds": self.folder.root / self.jobs[SELECTION] / "job.star",
            "manual": self.folder.manual_file,
            "unlike": self.folder.manual_file.with_name(UNLIKE_FILE),
        }
        stamps = {key: file_stamp(path) for key, path in files.items()}
        if stamps == self._stamps:
            return False
        self.settings = StageSettings.read(files["settings"])
        self.select_options = dict(read_settings(files["thresholds"].parent).options)
        self.thresholds = parse_thresholds(self.select_options.get("thresholds", ""))
        self.manual = read_verdicts(self.folder.manual_file)
        self._stamps, self.unlisted = stamps, True
        return True

    def movie(self, number: int) -> Movie:
        """A movie by its number, from 1."""
        return self.ledger.movies[number - 1]

    def enter(self, new: NewMovie) -> Movie:
        """A new movie, in its optics group."""
        group, fresh = self.groups.assign(new.raw.path)
        if fresh:
            self.groups.write(self._groups_file)
        movie = self.ledger.take(
            new.raw.name, str(new.raw.path), new.stamp, group=group, frames=new.info.n_frames
        )
        self.counts.update(movie)
        self.seen[movie.number] = new.since_s
        self.unlisted = True
        return movie

    def try_again(self, movie: Movie) -> None:
        """From the stage that refused it, or from its edited picks on."""
        if movie.is_aside:
            self.ledger.again(movie, file_stamp(Path(movie.path)))
        else:
            self.ledger.make_stale(movie, PICKING)
        self.counts.update(movie)
        self.unlisted = True

    def verdict(self, movie: Movie) -> tuple[str, str]:
        """("", "") for an accepted movie, else (kind, reason)."""
        if movie.is_aside:
            return FAILURE, movie.aside
        return judge(movie.micrograph, movie.figures, self.thresholds, self.manual)

    def count(self, movie: Movie) -> None:
        """Count a movie as it is now."""
        self.counts.update(movie, self.verdict(movie)[0])
        self.unlisted = True

    @property
    def lag_s(self) -> float:
        """Age of the oldest movie that is still on its way."""
        now = time.monotonic()
        return now - min(self.seen.values(), default=now)
