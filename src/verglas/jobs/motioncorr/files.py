"""Names of one movie's outputs (pipeline.md §4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MovieFiles:
    """The files made from one movie, by the common beginning of their names."""

    root: Path

    def _named(self, ending: str) -> Path:
        return Path(f"{self.root}{ending}")

    @property
    def image(self) -> Path:
        return self._named(".mrc")

    @property
    def unweighted(self) -> Path:
        return self._named("_noDW.mrc")

    @property
    def spectrum(self) -> Path:
        return self._named("_PS.mrc")

    @property
    def even(self) -> Path:
        return self._named("_EVN.mrc")

    @property
    def odd(self) -> Path:
        return self._named("_ODD.mrc")

    @property
    def stack(self) -> Path:
        return self._named("_movie.mrcs")

    @property
    def plot(self) -> Path:
        return self._named("_shifts.eps")

    @property
    def log(self) -> Path:
        return self._named(".log")

    @property
    def metadata(self) -> Path:
        return self._named(".star")
