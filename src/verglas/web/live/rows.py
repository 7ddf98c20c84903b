"""The movies of a live session as columns that grow, so that a page gets only the rows it lacks.

Every row has the number of the change that touched it last; a page that knows all up to a change asks for
what came since. Limits and verdicts that change touch the rows whose verdict they change.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from verglas.jobs.chain import STAGES
from verglas.jobs.select.figures import KINDS
from verglas.scheduler.live.record.ledger import Movie

Verdict = tuple[str, str, str]  # kind, why, by hand


@dataclass
class MovieRows:
    """Rows in the order of the movies' numbers."""

    epoch: str = field(default_factory=lambda: os.urandom(4).hex())
    change: int = 0
    changed: list[int] = field(default_factory=list)  # by row: the change that touched it last
    verdicts: list[Verdict] = field(default_factory=list)
    columns: dict[str, list[float | None]] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return f"{self.epoch}-{self.change}"

    def update(self, movies: Sequence[Movie], touched: Iterable[Movie]) -> None:
        """Take in rows that are new or have changed."""
        new = movies[len(self.changed) :]
        rows = {movie.number - 1 for movie in (*touched, *new)}
        if not rows:
            return
        self.change += 1
        self._grow(len(movies))
        for row in rows:
            self.changed[row] = self.change
            figures = movies[row].figures
            for key in figures.keys() - self.columns.keys():
                self.columns[key] = [None] * len(movies)
            for key, column in self.columns.items():
                column[row] = _finite(figures.get(key))

    def judge(
        self, movies: Sequence[Movie], verdict: Callable[[Movie], Verdict], rows: Iterable[int]
    ) -> None:
        """Judge these rows; those whose verdict differs have changed."""
        different = {row: now for row in rows if (now := verdict(movies[row])) != self.verdicts[row]}
        if not different:
            return
        self.change += 1
        for row, now in different.items():
            self.verdicts[row] = now
            self.changed[row] = self.change

    def since(self, version: str) -> int | None:
        """The change that a page knows; None if it must get all rows."""
        epoch, _, change = version.partition("-")
        known = int(change) if epoch == self.epoch and change.isdigit() else None
        return known if known is not None and known <= self.change else None

    def table(self, movies: Sequence[Movie], known: int | None) -> dict[str, Any]:
        """Rows that changed after `known` (all for None), column by column."""
        if known is None:
            rows: Sequence[int] = range(len(self.changed))
        else:
            rows = [row for row, change in enumerate(self.changed) if change > known]
        shown = [movies[row] for row in rows]
        verdicts = [self.verdicts[row] for row in rows]
        return {
            "version": self.version,
            "since": f"{self.epoch}-{known}" if known is not None else "",
            "total": len(self.changed),
            "numbers": [movie.number for movie in shown],
            "names": [movie.micrograph or movie.name for movie in shown],
            "stages": [last_stage(movie) for movie in shown],
            "kinds_aside": [kind for kind, _, _ in verdicts],
            "aside": [why for _, why, _ in verdicts],
            "by_hand": [by_hand for _, _, by_hand in verdicts],
            "taken_s": [movie.taken_s for movie in shown],
            "ready_s": [movie.ready_s for movie in shown],
            "kinds": [asdict(kind) for kind in KINDS if kind.key in self.columns],
            "columns": {key: [column[row] for row in rows] for key, column in self.columns.items()},
        }

    def _grow(self, count: int) -> None:
        missing = count - len(self.changed)
        self.changed += [0] * missing
        self.verdicts += [("", "", "")] * missing
        for column in self.columns.values():
            column += [None] * missing


def last_stage(movie: Movie) -> str:
    done = [stage for stage, made in zip(STAGES, movie.made) if made > 0]
    return done[-1] if done else ""


def _finite(value: float | None) -> float | None:
    """JSON has no nan: a figure that is none is not known."""
    return value if value is not None and math.isfinite(value) else None
