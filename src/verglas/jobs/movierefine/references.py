"""The maps of an auto-refine as references of movie particles; read once in every process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from verglas.fourier import Projector
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.polish.references import References
from verglas.jobs.refine.files.refined_maps import Refinement
from verglas.jobs.volumes.reference_halves import ReferenceHalves


def references_of_refinement(path: str) -> References:
    """Both half maps of an optimiser (or one map twice). Raises NothingToDo, JobFailed."""
    return _references(path, file_stamp(Path(path)))


@lru_cache(maxsize=1)
def _references(path: str, _stamp: str) -> References:
    models = Refinement.read(path).models
    one, other = models[0].maps[0], models[-1].maps[0]
    last = min((models[0].current_size or one.size) // 2, one.size // 2 - 1)
    halves = ReferenceHalves((one, other), np.ones(one.size // 2 + 1), last)
    size = 2 * min(last + 2, one.size // 2)
    return References(halves, (Projector.of(one.tensor, size), Projector.of(other.tensor, size)))
