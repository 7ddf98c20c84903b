"""Re-extraction: refined particles cut out again, with other boxes or about other centres."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from verglas.formats.star import StarTable, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph, MicrographNames
from verglas.jobs.contract.set_aside import SetAside
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
            raise JobFailed(f"{path}: expected the tables optics and particles (RELION 3.1 or later)")
        needed = (X, Y, "rlnMicrographName", "rlnOpticsGroup")
        missing = [label for label in needed if label not in table]
        if missing:
            raise JobFailed(f"{path}: particles lack {', '.join(missing)}")
        self.path, self.optics, self._table = path, star["optics"], table
        self._pixels = {
            int(row["rlnOpticsGroup"]): float(row["rlnImagePixelSize"]) for row in rows_of(self.optics)
        }
        self._rows: dict[str, list[int]] = {}
        for row, name in enumerate(table.strings("rlnMicrographName")):
            self._rows.setdefault(name, []).append(row)
        self._named: dict[str, str] = {}  # micrograph of the list -> its name in this file

    def __reduce__(self) -> tuple[object, tuple[str, dict[str, str]]]:
        """A worker process reads the file itself, once: it may hold a million rows."""
        return _opened, (self.path, self._named)

    def match(self, micrographs: Sequence[str], warn: Callable[[str], None]) -> None:
        """Find out which micrographs of a list the particles are on.

        Micrographs of a fresh Motion correction are found by what follows the job number. Raises JobFailed
        where none is in the list or one may be two; tells of those that are not in it.
        """
        try:
            found = MicrographNames(micrographs).matched(self._rows)
        except AmbiguousMicrograph as error:
            raise JobFailed(f"{self.path}: {error}") from error
        if not found.names:
            count = len(self._rows)
            raise JobFailed(
                f"{self.path} has {len(self._table)} particles on {count} micrographs, first "
                f"{next(iter(self._rows))}; none of them is among the {len(micrographs)} of the list, "
                f"which begins with {micrographs[0]}"
            )
        if found.strangers:
            lost = sum(len(self._rows[name]) for name in found.strangers)
            warn(f" WARNING: {found.said(self.path, 'the list')}: {lost} particles left out")
        self._named = dict(found.names)

    def has(self, micrograph: str) -> bool:
        """Whether any particle is of this micrograph."""
        return micrograph in self._named

    def of(self, micrograph: str, flags: Mapping[str, Any], micrograph_pixel_angst: float) -> StarTable:
        """Its particles with coordinates and origins as the flags ask; image names are left out."""
        table = self._table.take(self._rows[self._named[micrograph]])
        self._check_groups(table)
        if flags["--recenter"]:
            table = self._recentred(table, flags, micrograph_pixel_angst)
        elif flags["--reset_offsets"]:
            present = [label for label in _ORIGINS if label in table]
            table = table.with_columns({label: np.zeros(len(table)) for label in present})
        return table

    def _check_groups(self, table: StarTable) -> None:
        unknown = sorted(set(table.ints("rlnOpticsGroup").tolist()) - set(self._pixels))
        if unknown:
            raise SetAside(
                f"its particles are of optics group {', '.join(map(str, unknown))}, the optics table of "
                f"{self.path} has {', '.join(map(str, sorted(self._pixels)))}"
            )

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


def _opened(path: str, named: dict[str, str]) -> RefinedParticles:
    refined = open_refined(path)
    refined._named = named
    return refined
