"""Sums over all movies, kept up to date movie by movie."""

from __future__ import annotations

from dataclasses import dataclass, field

from verglas.jobs.chain import PICKING, STAGES
from verglas.jobs.select.thresholds import FAILURE
from verglas.scheduler.live.record.ledger import INDEX, Movie


@dataclass(frozen=True, slots=True)
class _Share:
    """What one movie adds."""

    made: tuple[bool, ...]
    kind: str = ""  # "", or why it is set aside
    stage: str = ""  # that could not process it
    particles: int = 0


@dataclass
class Counts:
    """Totals; `update` replaces what a movie added before."""

    found: int = 0
    particles: int = 0
    finished: int = 0
    done: list[int] = field(default_factory=lambda: [0] * len(STAGES))
    failed_in: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)  # movie numbers
    _shares: dict[int, _Share] = field(default_factory=dict)
    _kinds_of_share: dict[_Share, _Share] = field(default_factory=dict)  # equal ones are one object

    def update(self, movie: Movie, kind: str = "") -> None:
        """Count a movie as it is now; `kind` is failure, threshold, manual or empty."""
        if movie.is_aside:
            kind = FAILURE
        share = _Share(
            tuple(each > 0 for each in movie.made),
            kind if movie.is_aside or movie.made[INDEX[PICKING]] else "",
            movie.aside_stage,
            0 if kind else int(movie.figures.get("particles", 0)),
        )
        share = self._kinds_of_share.setdefault(share, share)
        old = self._shares.get(movie.number)
        if old is None:
            self.found += 1
        else:
            self._add(movie.number, old, -1)
        self._shares[movie.number] = share
        self._add(movie.number, share, 1)

    def _add(self, number: int, share: _Share, sign: int) -> None:
        for index, made in enumerate(share.made):
            self.done[index] += sign * made
        self.particles += sign * share.particles
        self.finished += sign * bool(share.made[-1] or share.kind)
        self.kinds[share.kind] = self.kinds.get(share.kind, 0) + sign
        if share.kind == FAILURE:
            self.failed_in[share.stage] = self.failed_in.get(share.stage, 0) + sign
            (self.failed.add if sign > 0 else self.failed.discard)(number)
