"""Which particles of a micrograph are extracted: from coordinate files, refinements, helices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.coordinates.helix import segment_table
from verglas.jobs.coordinates.reading import FOM, X, Y
from verglas.jobs.coordinates.source import CoordinateSource
from verglas.jobs.extract.reextract import RefinedParticles

if TYPE_CHECKING:
    from verglas.particles.extraction import ExtractionSettings


class ParticleRows:
    """Finds the rows of each micrograph of a list. Raises NothingToDo or JobFailed on opening."""

    def __init__(
        self, flags: Mapping[str, Any], warn: Callable[[str], None], micrographs: Sequence[str]
    ) -> None:
        self._flags, self._warn = flags, warn
        path = flags["--reextract_data_star"]
        self.refined: RefinedParticles | None = None
        if path:
            self.refined = RefinedParticles(path)
            self.refined.match(micrographs, warn)
        if flags["--coord_list"]:
            source = CoordinateSource.of_list(flags["--coord_list"])
        else:
            source = CoordinateSource.of_suffix(flags["--coord_dir"], flags["--coord_suffix"])
        self._source = source.of_micrographs(micrographs, warn)

    def has(self, micrograph: str) -> bool:
        """Whether there is anything that says where this micrograph's particles are."""
        if self.refined is not None:
            return self.refined.has(micrograph)
        path = self._source.path_of(micrograph)
        return path is not None and path.exists()

    def file_of(self, micrograph: str) -> Path | None:
        """The file whose change means that the coordinates changed."""
        if self.refined is not None:
            return Path(self.refined.path)
        return self._source.path_of(micrograph)

    def of(
        self,
        micrograph: str,
        shape_yx: tuple[int, int],
        settings: ExtractionSettings,
        pixel_size_angst: float,
    ) -> StarTable | None:
        """Rows above the figure of merit and at least partly on the micrograph; None if there are none.

        Raises SetAside or ValueError where they make no sense.
        """
        table = self._all(micrograph, shape_yx, pixel_size_angst)
        if table is None:
            return None
        table = self._above_threshold(table)
        return self._inside(table, micrograph, shape_yx, settings) if len(table) else None

    def _all(self, micrograph: str, shape_yx: tuple[int, int], pixel_size_angst: float) -> StarTable | None:
        if self.refined is not None:
            return self.refined.of(micrograph, self._flags, pixel_size_angst)
        table = self._source.read(micrograph, shape_yx, self._warn)
        if table is None or not self._flags["--helix"]:
            return table
        return segment_table(table, self._flags, pixel_size_angst)

    def _above_threshold(self, table: StarTable) -> StarTable:
        import numpy as np

        least = self._flags["--minimum_pick_fom"]
        if least <= -900 or FOM not in table:
            return table
        return table.take(np.flatnonzero(table.floats(FOM) > least))

    def _inside(
        self, table: StarTable, micrograph: str, shape_yx: tuple[int, int], settings: ExtractionSettings
    ) -> StarTable:
        import numpy as np

        from verglas.particles.extraction import overlaps

        inside = overlaps(np.stack([table.floats(X), table.floats(Y)], 1), shape_yx, settings)
        if not inside.any():
            raise SetAside(
                f"all {len(table)} coordinates ({self.file_of(micrograph)}) lie outside the micrograph "
                f"of {shape_yx[1]} x {shape_yx[0]} pixels: were they picked on another binning?"
            )
        if inside.all():
            return table
        self._warn(
            f" WARNING: {micrograph}: {int((~inside).sum())} of {len(table)} coordinates lie outside "
            "the micrograph; left out"
        )
        return table.take(np.flatnonzero(inside))
