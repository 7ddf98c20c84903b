"""The classes of a model file: their maps, by population."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verglas.formats.star import read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo

_TABLE = "model_classes"
_MAP, _SHARE = "rlnReferenceImage", "rlnClassDistribution"


@dataclass(frozen=True)
class ClassMap:
    """A map and the share of the particles that are in it."""

    path: str
    share: float = 1.0


def classes_of(model_star: str) -> list[ClassMap]:
    """The 3D classes of a model file, most populated first. Raises NothingToDo, JobFailed."""
    if not Path(model_star).exists():
        raise NothingToDo(f"the model file {model_star} does not exist yet")
    star = read_star(model_star)
    table = star.get(_TABLE)
    missing = [_MAP, _SHARE] if table is None else [label for label in (_MAP, _SHARE) if label not in table]
    if table is None or missing:
        raise JobFailed(f"{model_star} is no model file of a refinement: no {', '.join(missing)} in {_TABLE}")
    found = [ClassMap(*row) for row in zip(table.strings(_MAP), table.floats(_SHARE).tolist())]
    if not found or any("@" in one.path for one in found):
        raise JobFailed(f"{model_star} has no 3D classes: {_MAP} must name maps")
    return sorted(found, key=lambda one: -one.share)
