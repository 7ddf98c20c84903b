"""Symmetry expansion of a particle list: what relion_particle_symmetry_expand does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.contract.tables import read_list

Say = Callable[[str], None]
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
ORIGINS = ("rlnOriginYAngst", "rlnOriginXAngst")
_HELIX = "Helix"
PROGRAM = Program(
    "expand",
    {
        flag.name: flag
        for flag in (
            Flag("--i", "", "Particles with orientations", required=True),
            Flag("--o", "expanded.star", "Expanded list"),
            Flag("--sym", "C1", "Point group"),
            Flag("--helix", False, "Expand by a helix instead", _HELIX),
            Flag("--twist", 0.0, "Helical twist (degrees)", _HELIX),
            Flag("--rise", 0.0, "Helical rise (Å)", _HELIX),
            Flag("--asu", 1, "Units of a segment", _HELIX),
            Flag("--angpix", 1.0, "", _HELIX, unneeded="shifts are in Å"),
        )
    },
    "every particle once for each of its symmetry mates",
    "relion_particle_symmetry_expand",
)


def expand_particles(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    star, table = read_list(flags["--i"], "particles")
    missing = [label for label in ANGLES if label not in table]
    if missing:
        raise JobFailed(f"{flags['--i']} has no {', '.join(missing)}: refine the particles first")
    columns, copies = _expanded(flags, table)
    rows = np.repeat(np.arange(len(table)), copies)
    expanded = table.take(rows).with_columns(columns)
    Path(flags["--o"]).parent.mkdir(parents=True, exist_ok=True)
    write_star(flags["--o"], [expanded if t is table else t for t in star.values()])
    say(f" {len(expanded)} particles of {len(table)}: {flags['--o']}")


def _expanded(flags: Arguments, table: StarTable) -> tuple[dict[str, Any], int]:
    """The columns that change, and how many rows each particle becomes."""
    from verglas.geometry import PointGroup
    from verglas.particles.symmetry_expansion import expanded_angles, expanded_helix

    angles = np.stack([table.floats(label) for label in ANGLES], 1)
    if not flags["--helix"]:
        found = expanded_angles(angles, PointGroup.of(flags["--sym"]))
        return dict(zip(ANGLES, found.reshape(-1, 3).T)), found.shape[1]
    if flags["--asu"] < 2 or flags["--rise"] <= 0:
        raise JobFailed("--helix needs --rise (Å), --twist (degrees) and --asu of 2 or more")
    missing = [label for label in ORIGINS if label not in table]
    if missing:
        raise JobFailed(f"{flags['--i']} has no {', '.join(missing)}")
    origins = np.stack([table.floats(label) for label in ORIGINS], 1)
    found, moved = expanded_helix(angles, origins, flags["--twist"], flags["--rise"], flags["--asu"])
    columns = dict(zip(ANGLES, found.reshape(-1, 3).T))
    return columns | dict(zip(ORIGINS, moved.reshape(-1, 2).T)), flags["--asu"]
