"""What a finished refinement says about its maps: which, on what scale, for which half of the particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarError, StarTable, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.tables import after_job
from verglas.jobs.volumes.reading import Volume, read_volume

if TYPE_CHECKING:
    from verglas.maps.prediction import CtfUse

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HalfModel:
    """The maps of one half-set (or of all particles), and what its particles are scaled by."""

    maps: tuple[Volume, ...]
    norm_average: float
    scale_by_group: dict[str, float]
    current_size: int | None  # beyond half of it the maps hold nothing that was measured


@dataclass(frozen=True)
class Refinement:
    """An optimiser file and what it names: one model, or one for each half-set."""

    models: tuple[HalfModel, ...]
    data: str
    optimiser: StarTable

    @classmethod
    def read(cls, path: str) -> Refinement:
        """Raises NothingToDo while it is missing, JobFailed where something that it names is wrong."""
        general = _table(path, "optimiser_general")
        names = [general.string("rlnModelStarFile")]
        second = "rlnModelStarFile2"
        if second in general and general.string(second) not in ("", "None"):
            names.append(general.string(second))
        return cls(
            tuple(_half_model(name) for name in names), general.string("rlnExperimentalDataStarFile"), general
        )

    def says(self, label: str) -> bool:
        """A Yes or No of the optimiser; No where it is silent."""
        return label in self.optimiser and self.optimiser.number(label) != 0

    @property
    def ctf_use(self) -> CtfUse:
        from verglas.maps.prediction import CtfUse

        return CtfUse(
            self.says("rlnDoCorrectCtf"),
            self.says("rlnDoIgnoreCtfUntilFirstPeak"),
            self.says("rlnCtfDataArePhaseFlipped"),
            self.says("rlnDoOnlyFlipCtfPhases"),
        )


def _half_model(path: str) -> HalfModel:
    general, classes = _table(path, "model_general"), _table(path, "model_classes")
    pixel = general.number("rlnPixelSize")
    maps = tuple(read_volume(name, pixel, "reference") for name in classes.strings("rlnReferenceImage"))
    groups = _table(path, "model_groups")
    names = [after_job(name) for name in groups.strings("rlnGroupName")]
    scales = dict(zip(names, groups.floats("rlnGroupScaleCorrection")))
    label = "rlnNormCorrectionAverage"
    average = general.number(label) if label in general else 1.0
    size = "rlnCurrentImageSize"
    return HalfModel(maps, average, scales, int(general.number(size)) if size in general else None)


def _table(path: str, name: str) -> StarTable:
    if not Path(path).exists():
        raise NothingToDo(f"{path} does not exist yet")
    try:
        found = read_star(path).get(name)
    except StarError as error:
        raise JobFailed(str(error)) from error
    if found is None:
        raise JobFailed(f"{path} has no table {name}")
    return found
