"""The particles of every micrograph, and what else polishing one of them needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.micrograph_job import Inputs, Item
from verglas.jobs.contract.micrograph_names import MicrographNames
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.contract.tables import read_list, rows_of
from verglas.jobs.motioncorr.recorded import RecordedMotion, read_motion
from verglas.jobs.refine.files.particles import ParticleList, read_particles

if TYPE_CHECKING:
    from verglas.em.state.particles import Assignments, OpticsGroup, Particles

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
METADATA = "rlnMicrographMetadata"
HALF = "rlnRandomSubset"


@dataclass(frozen=True)
class MicrographItem(Item):
    """A micrograph with its particles (they travel to the worker with it)."""

    table: StarTable = field(default_factory=lambda: StarTable("particles", {}))
    particles: Particles | None = None
    assignments: Assignments | None = None

    @property
    def halves(self) -> Ints:
        """Half-sets from 0; all 0 where the list has none."""
        if HALF not in self.table:
            return np.zeros(len(self.table), np.int64)
        return np.asarray(self.table.ints(HALF), np.int64) - 1

    def row_groups(self) -> set[int]:
        """Numbers of its particles' optics groups."""
        label = "rlnOpticsGroup"
        return set(map(int, self.table.ints(label))) if label in self.table else {1}

    @property
    def metadata(self) -> str:
        """The motion metadata's file; empty where the list names none."""
        found = str(self.row.get(METADATA, ""))
        return "" if found == "None" else found

    def places_yx(self) -> Floats:
        """Coordinates (P, 2) in pixels of the micrograph: whole ones, as extraction cut them out."""
        return np.trunc(
            np.stack([self.table.floats("rlnCoordinateY"), self.table.floats("rlnCoordinateX")], 1)
        )

    def group(self) -> OpticsGroup:
        """The optics that all its particles share. Raises SetAside where boxes or pixels differ."""
        assert self.particles is not None
        groups = [self.particles.optics[n] for n in np.unique(self.particles.optics_group)]
        kinds = {(group.box_size, round(group.pixel_size_angst, 5)) for group in groups}
        if len(kinds) > 1:
            raise SetAside(
                "its particles have different boxes or pixels: "
                + ", ".join(f"{box} px of {pixel:g} Å" for box, pixel in sorted(kinds))
            )
        return groups[0]


@dataclass(frozen=True, kw_only=True)
class PolishInputs(Inputs):
    """Micrographs with particles; the particles' optics table; particles that are left out, with reasons."""

    items: tuple[MicrographItem, ...]
    optics_table: StarTable
    left_out: Mapping[str, str]

    def only(self, first: int, last: int, *groups: int) -> PolishInputs:
        """Micrographs first..last (from 0; negative: to the end), with particles of optics groups (negative: all).

        Raises JobFailed where that leaves none.
        """
        items = self.items[max(first, 0) : last + 1 if last >= 0 else None]
        for group in groups:
            if group >= 0:
                items = tuple(item for item in items if group in item.row_groups())
        if not items:
            raise JobFailed(f"none of {len(self.items)} micrographs is wanted: see --min_MG, --only_group")
        return replace(self, items=items)


def read_polish_inputs(particles: str, micrographs: str) -> PolishInputs:
    """Particles by micrograph, in the order in which the list names micrographs first.

    Raises NothingToDo, JobFailed.
    """
    listed = read_particles(particles, with_ctf=True)
    for label in ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"):
        if label not in listed.table:
            raise JobFailed(f"{particles} has no {label}: which place of which movie is a particle from?")
    left_out, rows = _with_halves(listed, particles)
    known = _micrographs(micrographs)
    names = np.array(listed.table.strings("rlnMicrographName"), object)
    by_name: dict[str, list[int]] = {}
    for row in rows:
        by_name.setdefault(str(names[row]), []).append(int(row))
    found = MicrographNames(known).matched(by_name)
    matched = {name: micrograph for micrograph, name in found.names.items()}
    items = tuple(
        micrograph_item(name, np.array(chosen), listed, known.get(matched.get(name, ""), {}))
        for name, chosen in by_name.items()
    )
    return PolishInputs(items=items, optics_table=listed.optics_table, left_out=left_out)


def motion_of(item: MicrographItem) -> RecordedMotion | None:
    """What motion correction recorded of a micrograph; None where its list names no metadata.

    Raises SetAside for metadata that are missing, damaged, or of another movie.
    """
    if not item.row:
        raise SetAside("the list of motion-corrected micrographs does not name it")
    if not item.metadata:
        return None
    motion = read_motion(item.metadata)
    if MicrographNames([Path(item.name).name]).find(Path(motion.movie_name).name) is None:
        raise SetAside(f"{item.metadata} holds the motion of {motion.movie_name}, another movie")
    return motion


def _with_halves(listed: ParticleList, path: str) -> tuple[dict[str, str], Sequence[int]]:
    """Particles without their half-set, with a reason; rows of the others."""
    if HALF not in listed.table:
        raise JobFailed(f"{path} has no {HALF}: which of the two half maps are the particles of?")
    halves = np.asarray(listed.table.ints(HALF))
    left_out = dict(listed.assignments.set_aside)
    for row in np.flatnonzero((halves != 1) & (halves != 2)):
        left_out[int(row)] = f"its half-set is {halves[row]}: 1 or 2 was expected"
    rows = [row for row in range(len(halves)) if row not in left_out]
    if not rows:
        raise JobFailed(f"not one particle of {path} can be used: {next(iter(left_out.values()))}")
    return {listed.particles.names[row]: reason for row, reason in left_out.items()}, rows


def _micrographs(path: str) -> dict[str, dict[str, str]]:
    if not path:
        raise JobFailed("--corr_mic says which movies the micrographs are the sums of")
    _, table = read_list(path, "micrographs", "")
    return {row["rlnMicrographName"]: row for row in rows_of(table)}


def micrograph_item(name: str, rows: Ints, listed: ParticleList, row: dict[str, Any]) -> MicrographItem:
    """A micrograph (or movie) with some rows of a list of particles."""
    from verglas.jobs.polish.subset import assignments_of, particles_of

    return MicrographItem(
        name,
        row,
        Path(row.get(METADATA, name) or name),
        listed.table.take(rows),
        particles_of(listed.particles, rows),
        assignments_of(listed.assignments, rows),
    )
