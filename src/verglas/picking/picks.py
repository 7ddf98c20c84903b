"""What a picker finds: coordinates with a figure of merit, most significant first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TubeSegments:
    """Which filament every candidate is a segment of; a filament's segments have one figure of merit."""

    number: Array  # (n,) int64 from 1
    psi_deg: Array  # (n,) in-plane angle of the filament, as a prior: minus its direction
    track_angst: Array  # (n,) length along the filament

    def take(self, rows: Array) -> TubeSegments:
        """Those of a boolean mask or index array."""
        return TubeSegments(self.number[rows], self.psi_deg[rows], self.track_angst[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """Candidates of one micrograph, sorted by falling figure of merit.

    Coordinates are unbinned micrograph pixels, origin at the first pixel, as stored (pipeline.md §5.5).
    """

    xy: Array  # (n, 2) float64
    fom: Array  # (n,) float64
    class_number: Array  # (n,) int64: template (from 1), or bin of the diameter (from 0)
    psi_deg: Array  # (n,) float64
    threshold: float  # figure of merit above which a candidate counts as picked
    tubes: TubeSegments | None = None  # where the candidates are segments of filaments

    def __len__(self) -> int:
        return len(self.fom)

    @classmethod
    def none(cls, threshold: float) -> Picks:
        """No candidates at all."""
        return cls(np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0), threshold)

    def take(self, rows: Array) -> Picks:
        """The candidates of a boolean mask or index array, threshold kept."""
        return replace(
            self,
            xy=self.xy[rows],
            fom=self.fom[rows],
            class_number=self.class_number[rows],
            psi_deg=self.psi_deg[rows],
            tubes=None if self.tubes is None else self.tubes.take(rows),
        )

    def picked(self, adjust: float = 0.0, upper: float = np.inf) -> Picks:
        """Those above the threshold moved by `adjust`, and not above `upper`."""
        return self.take((self.fom >= self.threshold + adjust) & (self.fom <= upper))
