"""The result of one micrograph in a file: refined columns of its particles, and sums for the optics groups."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.jobs.contract.base import JobFailed

Array = npt.NDArray[Any]
COLUMNS = (
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnPhaseShift",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
)
_SUM = "sum/"


@dataclass
class MicrographResult:
    """Particles that were compared, their values, why some kept theirs, which could not be used, sums.

    An image may be in the list several times (symmetry copies): `rows` are places in the list.
    """

    names: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)  # (6,) each, as `COLUMNS`
    kept: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    alone: int = 0  # particles that are single in their optics group here
    sums: dict[str, Array] = field(default_factory=dict)  # "<group>/<kind>/<part>"

    def write(self, path: Path) -> None:
        """Replace the file at once."""
        kept, aside = (list(each.items()) for each in (self.kept, self.aside))
        arrays: dict[str, Array] = {
            "names": np.array(self.names, np.str_),
            "rows": np.array(self.rows, np.int64),
            "values": np.array(self.values, np.float64).reshape(-1, len(COLUMNS)),
            "kept": np.array(kept, np.str_).reshape(-1, 2),
            "aside": np.array(aside, np.str_).reshape(-1, 2),
            "alone": np.array(self.alone),
        }
        buffer = io.BytesIO()
        arrays |= {f"{_SUM}{key}": value for key, value in self.sums.items()}
        np.savez(buffer, allow_pickle=False, **arrays)
        with atomic_write(path) as out:
            out.write(buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> MicrographResult:
        """Raises JobFailed where the file is damaged."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(
                    stored["names"].tolist(),
                    stored["rows"].tolist(),
                    list(stored["values"]),
                    dict(stored["kept"].tolist()),
                    dict(stored["aside"].tolist()),
                    int(stored["alone"]),
                    {key[len(_SUM) :]: stored[key] for key in stored.files if key.startswith(_SUM)},
                )
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise JobFailed(f"{path} is damaged ({error}): remove it and continue the job") from error


def add_sums(total: dict[str, Array], more: dict[str, Array]) -> None:
    """Add the sums of a micrograph to those of all."""
    for key, value in more.items():
        total[key] = total[key] + value if key in total else value
