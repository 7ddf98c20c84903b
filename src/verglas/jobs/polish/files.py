"""Names of one micrograph's outputs (pipeline.md §4.20), and its tracks as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star

if TYPE_CHECKING:
    from verglas.polish.frame_correlation import FrameSums

Floats = npt.NDArray[np.float64]
_SUMS = ("product", "image", "reference")


@dataclass(frozen=True)
class PolishFiles:
    """The files made from one micrograph, by the common beginning of their names."""

    root: Path
    suffix: str = ""

    def _named(self, ending: str) -> Path:
        return Path(f"{self.root}{ending}")

    @property
    def tracks(self) -> Path:
        return self._named("_tracks.star")

    @property
    def sums(self) -> tuple[Path, Path, Path]:
        """Sums by frame (rows) and shell (columns): X P*, |X|², |P|²."""
        return self._named("_FCC_cc.mrc"), self._named("_FCC_w0.mrc"), self._named("_FCC_w1.mrc")

    @property
    def stack(self) -> Path:
        return self._named(f"_shiny{self.suffix}.mrcs")

    @property
    def list(self) -> Path:
        return self._named(f"_shiny{self.suffix}.star")

    @property
    def is_tracked(self) -> bool:
        return all(path.exists() for path in (self.tracks, *self.sums))

    @property
    def is_recombined(self) -> bool:
        return self.stack.exists() and self.list.exists()


def write_tracks(path: Path, tracks_angst: Floats) -> None:
    """Tracks (P, F, 2) as (y, x): a list `general`, then one table a particle."""
    tables = [StarTable.from_columns("general", {"rlnParticleNumber": len(tracks_angst)}, is_list=True)]
    for number, track in enumerate(tracks_angst):
        columns = {"rlnOriginXAngst": track[:, 1], "rlnOriginYAngst": track[:, 0]}
        tables.append(StarTable.from_columns(str(number), columns))
    write_star(path, tables)


def read_tracks(path: Path) -> Floats:
    """Tracks (P, F, 2) as (y, x) in Å. Raises StarError, ValueError for a file of another kind."""
    star = read_star(path)
    count = star["general"].integer("rlnParticleNumber")
    tables = [star[str(number)] for number in range(count)]
    return np.stack([np.stack([t.floats("rlnOriginYAngst"), t.floats("rlnOriginXAngst")], 1) for t in tables])


def write_sums(files: PolishFiles, sums: FrameSums) -> None:
    for path, label in zip(files.sums, _SUMS):
        write_mrc(path, getattr(sums, label).astype(np.float32), 1.0)


def read_sums(files: PolishFiles) -> FrameSums:
    from verglas.polish.frame_correlation import FrameSums

    return FrameSums(*(np.asarray(read_mrc(path).data, np.float64) for path in files.sums))
