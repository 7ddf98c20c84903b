"""Optics groups of a session: one, or one per cluster of beam shifts; stable while movies arrive.

How far shifts of one position lie apart is learnt from the first movies, unless it is given: as soon as there
is a clear gap between scatter and spacing it decides, before that a share of the largest shift. A group given
to a movie never changes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.importing.optics_groups import beam_shift_of
from verglas.scheduler.live.record.lists import optics_row
from verglas.scheduler.live.record.order import read_json

CLEAR_FROM = 10  # shifts from which on a gap between scatter and spacing is believed
MOST_SHIFTS = 300  # that are looked at for it
REACH_SHARE = 0.03  # of the largest shift: closer ones are one position in any case


@dataclass
class BeamShiftGroups:
    """The optics table of a session, and to which row a movie belongs."""

    name: str = "opticsGroup1"
    microscope: dict[str, float] = field(default_factory=dict)  # keywords of `optics_row`
    mtf: str = ""
    by_beam_shift: bool = False
    tolerance: float = 0.0
    centres: list[tuple[float, float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    shifts: list[tuple[float, float]] = field(default_factory=list)  # while tolerance is not known

    @classmethod
    def read(cls, path: Path) -> BeamShiftGroups:
        known = read_json(path)
        for name in ("centres", "shifts"):
            known[name] = [tuple(each) for each in known.get(name, [])]
        return cls(**known)

    def as_bytes(self) -> bytes:
        """What the file holds."""
        return json.dumps(asdict(self), indent=1).encode()

    def write(self, path: Path) -> None:
        write_text(path, self.as_bytes().decode())

    def assign(self, movie: Path) -> tuple[int, bool]:
        """The group of a movie (from 1), and whether it is a new one."""
        if not self.by_beam_shift:
            return 1, False
        shift = beam_shift_of(movie)
        if shift is None:
            return 1, False
        from verglas.optics.groups import ShiftClusters  # loads torch, which the pages must not

        clusters = ShiftClusters(self._tolerance_with(shift), list(self.centres), list(self.sizes))
        before = len(clusters.centres)
        group = clusters.assign(shift)
        self.centres, self.sizes = clusters.centres, clusters.sizes
        return group + 1, len(clusters.centres) > before

    def _tolerance_with(self, shift: tuple[float, float]) -> float:
        """The radius of a position; kept once it is clear."""
        if self.tolerance > 0:
            return self.tolerance
        from verglas.optics.groups import natural_tolerance

        self.shifts.append(shift)
        least = REACH_SHARE * max(math.hypot(*each) for each in self.shifts)
        if len(self.shifts) < CLEAR_FROM:
            return least
        found = max(least, natural_tolerance(self.shifts))
        if math.isfinite(found) or len(self.shifts) >= MOST_SHIFTS:
            self.tolerance, self.shifts = found, []
        return found

    @property
    def optics(self) -> list[dict[str, str]]:
        """Rows of the optics table."""
        stem = self.name.rstrip("0123456789") or "opticsGroup"
        names = [self.name] + [f"{stem}{n}" for n in range(2, max(1, len(self.centres)) + 1)]
        return [
            optics_row(number, name, mtf=self.mtf, **self.microscope) for number, name in enumerate(names, 1)
        ]
