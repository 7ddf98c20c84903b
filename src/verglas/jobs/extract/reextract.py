"""Re-extraction: refined particles cut out again, with other boxes or about other centres."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from verglas.formats.star import StarTable, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.tables import rows_of
from verglas.jobs.coordinates.reading import X, Y

_ORIGINS = ("rlnOriginXAngst", "rlnOriginYAngst")
_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")


class RefinedParticles:
    """The particles of a refinement, by micrograph."""

    def __init__(self, path: str) -> None:
        """Raises NothingToDo while the file is missing, JobFailed where columns are."""
        try:
            star = read_star(path)
        except FileNotFoundError:
            raise NothingToDo(f"{path} does not exist yet") from None
        table = star.get("particles")
        if table is None or "optics" not in star:
            raise JobFailed(
                f"{path}: expected the tables optics and particles (RELION 3.1 or later)"
            )
        missing = [label for label in (X, Y, "rlnMicrographName") if label not in table]
        if missing:
            raise JobFailed(f"{path}: particles lack {', '.join(missing)}")
        self.path, self.optics, self._table = path, star["optics"], table
        self._pixels = {
            int(row["rlnOpticsGroup"]): float(row["rlnImagePixelSize"])
            for row in rows_of(self.optics)
        }
        self._rows: dict[str, list[int]] = {}
        for row, name in enumerate(table.strings("rlnMicrographName")):
            self._rows.setdefault(name, []).append(row)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """A worker process reads the file itself, once: it may hold a million rows."""
        return open_refined, (self.path,)

    def has(self, micrograph: str) -> bool:
        """Whether any particle is of this micrograph."""
        return micrograph in self._rows

    def of(
        self, micrograph: str, flags: Mapping[str, Any], micrograph_pixel_angst: float
    ) -> StarTable:
        """Its particles with coordinates and origins as the flags ask; image names are left out."""
        table = self._table.take(self._rows[micrograph])
        if flags["--recenter"]:
            table = self._recentred(table, flags, micrograph_pixel_angst)
        elif flags["--reset_offsets"]:
            present = [label for label in _ORIGINS if label in table]
            table = table.with_columns({label: np.zeros(len(table)) for label in present})
        return table

    def _recentred(
        self, table: StarTable, flags: Mapping[str, Any], micrograph_pixel_angst: float
    ) -> StarTable:
        from verglas.geometry import euler_matrices
        from verglas.particles.recentre import recentred

        missing = [label for label in (*_ORIGINS, *_ANGLES) if label not in table]
        if missing:
            raise JobFailed(f"{self.path}: re-centring needs {', '.join(missing)}")
        angles = np.stack([table.floats(label) for label in _ANGLES], 1)
        group = int(table.ints("rlnOpticsGroup")[0])
        pixel = flags["--ref_angpix"] if flags["--ref_angpix"] > 0 else self._pixels[group]
        centre = np.array([float(flags[f"--recenter_{axis}"]) for axis in "xyz"]) * pixel
        xy, origins = recentred(
            np.stack([table.floats(X), table.floats(Y)], 1),
            np.stack([table.floats(label) for label in _ORIGINS], 1),
            euler_matrices(angles).numpy(),
            centre,
            micrograph_pixel_angst,
        )
        moved = dict(zip((X, Y, *_ORIGINS), (xy[:, 0], xy[:, 1], origins[:, 0], origins[:, 1])))
        return table.with_columns(moved)


@lru_cache(maxsize=1)
def open_refined(path: str) -> RefinedParticles:
    """`RefinedParticles(path)`, read once in a process."""
    return RefinedParticles(path)
