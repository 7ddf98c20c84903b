"""Every movie of a session: what it is called, how far it is, its figures.

On disc one line per step, appended (`movies.jsonl`): the cost of a movie does not depend on how many
there are. A torn last line is passed over; a lost file only means that finished results are looked at
again, for each stage asks the job itself whether its files are there.

Lines: {"k": "taken", "m": 7, "name": ..., "path": ..., "stamp": ..., "group": 1, "frames": 40, "t": ...}
       {"k": "done", "m": 7, "stage": "CtfFind", "v": 1, "s": 0.8, "figures": {...}, "device": "cpu"}
       {"k": "aside", "m": 7, "stage": "MotionCorr", "why": "..."}   {"k": "again", "m": 7}
       {"k": "stale", "m": 7, "stage": "AutoPick"}: to be done again from there on
       {"k": "picking", "m": 7}: the picks, which nobody edited, are about to be replaced
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verglas.jobs.chain import STAGES
from verglas.scheduler.live.record.order import LiveFolder

INDEX = {stage: index for index, stage in enumerate(STAGES)}


@dataclass(slots=True)
class Movie:
    """One movie; `made` holds the settings version behind each stage's result.

    0: there is none; negative: there is one, but of an earlier result of the stage before.
    """

    number: int  # from 1, in the order of taking
    name: str  # what the project calls it
    path: str  # where it lies
    stamp: str  # size and time of the file when it was taken
    group: int = 1  # optics group
    frames: int = 0
    taken_s: float = 0.0  # calendar time
    made: list[int] = field(default_factory=lambda: [0] * len(STAGES))
    figures: dict[str, float] = field(default_factory=dict)
    micrograph: str = ""  # name of the aligned sum
    aside: str = ""  # why it was set aside
    aside_stage: str = ""
    ready_s: float = 0.0  # from complete file to extracted
    picks: str = ""  # fingerprint of the picks that the picker wrote

    @property
    def is_aside(self) -> bool:
        return bool(self.aside)


class Ledger:
    """All movies in memory, and the journal they come from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.movies: list[Movie] = []
        self.by_name: dict[str, Movie] = {}
        self._offset = 0
        self._out = -1

    @classmethod
    def of(cls, folder: LiveFolder) -> Ledger:
        """All movies of a session as its journal has them now."""
        ledger = cls(folder.journal)
        ledger.read()
        return ledger

    def read(self) -> list[Movie]:
        """Take in what was appended since the last call; the movies it was about."""
        touched: dict[int, Movie] = {}
        for line in self._new_lines():
            movie = self._apply(line)
            if movie is not None:
                touched[movie.number] = movie
        return list(touched.values())

    def take(self, name: str, path: str, stamp: str, *, group: int = 1, frames: int = 0) -> Movie:
        """Enter a new movie."""
        number = len(self.movies) + 1
        line = {
            "k": "taken",
            "m": number,
            "name": name,
            "path": path,
            "stamp": stamp,
            "group": group,
            "frames": frames,
            "t": round(time.time(), 3),
        }
        self._append(line)
        return self.movies[number - 1]

    def done(self, movie: Movie, stage: str, version: int, seconds: float, **known: Any) -> None:
        """A stage has its result."""
        line = {"k": "done", "m": movie.number, "stage": stage, "v": version}
        self._append({**line, "s": round(seconds, 3), **known})

    def set_aside(self, movie: Movie, stage: str, reason: str) -> None:
        line = {"k": "aside", "m": movie.number, "stage": stage, "why": " ".join(reason.split())}
        self._append(line)

    def again(self, movie: Movie, stamp: str) -> None:
        """The file changed, or the user asks: try again from the stage that refused."""
        self._append({"k": "again", "m": movie.number, "stamp": stamp})

    def make_stale(self, movie: Movie, stage: str) -> None:
        """What the movie has from this stage on is to be made again."""
        self._append({"k": "stale", "m": movie.number, "stage": stage})

    def note_picking(self, movie: Movie) -> None:
        """The picks are about to be replaced: until that is done, no file tells of a person's work."""
        self._append({"k": "picking", "m": movie.number})

    def close(self) -> None:
        if self._out >= 0:
            os.close(self._out)
            self._out = -1

    def _append(self, line: dict[str, Any]) -> None:
        if self._out < 0:
            self._out = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            size = os.fstat(self._out).st_size
            if size and os.pread(self._out, 1, size - 1) != b"\n":
                os.write(self._out, b"\n")  # the last writer was killed in the middle of a line
        data = json.dumps(line).encode() + b"\n"
        os.write(self._out, data)
        self._apply(line)

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        """Complete lines after the last offset (of a reader, or of a writer that begins)."""
        try:
            with open(self.path, "rb") as handle:
                handle.seek(self._offset)
                data = handle.read()
        except OSError:
            return
        end = data.rfind(b"\n") + 1
        self._offset += end
        for line in data[:end].splitlines():
            try:
                known = json.loads(line)
            except ValueError:
                continue
            if isinstance(known, dict):
                yield known

    def _apply(self, line: dict[str, Any]) -> Movie | None:
        number = int(line.get("m", 0))
        if line.get("k") == "taken":
            return self._apply_taken(number, line)
        if not 1 <= number <= len(self.movies):
            return None  # its own line was lost
        movie = self.movies[number - 1]
        if line["k"] == "done" and line["stage"] in INDEX:
            index = INDEX[line["stage"]]
            if movie.made[index] != line["v"]:  # what was made from the old result is stale
                movie.made[index + 1 :] = [-abs(each) for each in movie.made[index + 1 :]]
            movie.made[index] = line["v"]
            figures = line.get("figures", {})
            movie.figures.update((sys.intern(key), value) for key, value in figures.items())
            movie.micrograph = line.get("micrograph", movie.micrograph)
            movie.ready_s = line.get("ready", movie.ready_s)
            movie.picks = line.get("picks", movie.picks)
            movie.aside = movie.aside_stage = ""
        elif line["k"] == "aside":
            movie.aside, movie.aside_stage = line["why"], line["stage"]
        elif line["k"] == "again":
            movie.aside = movie.aside_stage = ""
            movie.stamp = line.get("stamp", movie.stamp)
        elif line["k"] == "stale" and line["stage"] in INDEX:
            index = INDEX[line["stage"]]
            movie.made[index:] = [-abs(each) for each in movie.made[index:]]
        elif line["k"] == "picking":
            movie.picks = ""
        return movie

    def _apply_taken(self, number: int, line: dict[str, Any]) -> Movie | None:
        if number != len(self.movies) + 1 or line["name"] in self.by_name:
            return None
        movie = Movie(
            number,
            line["name"],
            line["path"],
            line["stamp"],
            line.get("group", 1),
            line.get("frames", 0),
            line.get("t", 0.0),
        )
        self.movies.append(movie)
        self.by_name[movie.name] = movie
        return movie
