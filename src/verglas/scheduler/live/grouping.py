"""Optics groups of a session: one, or one per cluster of beam shifts; stable while movies arrive."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.live_lists import optics_row
from verglas.jobs.optics_groups import beam_shift_of
from verglas.scheduler.live.order import read_json


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

    @classmethod
    def read(cls, path: Path) -> BeamShiftGroups:
        known = read_json(path)
        known["centres"] = [tuple(each) for each in known.get("centres", [])]
        return cls(**known)

    def write(self, path: Path) -> None:
        write_text(path, json.dumps(asdict(self), indent=1))

    def assign(self, movie: Path) -> tuple[int, bool]:
        """The group of a movie (from 1), and whether it is a new one."""
        if not self.by_beam_shift:
            return 1, False
        shift = beam_shift_of(movie)
        if shift is None:
            return 1, False
        from verglas.optics.groups import ShiftClusters  # loads torch, which the pages must not

        clusters = ShiftClusters(self.tolerance, list(self.centres), list(self.sizes))
        before = len(clusters.centres)
        group = clusters.assign(shift)
        self.centres, self.sizes = clusters.centres, clusters.sizes
        return group + 1, len(clusters.centres) > before

    @property
    def optics(self) -> list[dict[str, str]]:
        """Rows of the optics table."""
        stem = self.name.rstrip("0123456789") or "opticsGroup"
        names = [self.name] + [f"{stem}{n}" for n in range(2, max(1, len(self.centres)) + 1)]
        return [
            optics_row(number, name, mtf=self.mtf, **self.microscope)
            for number, name in enumerate(names, 1)
        ]
