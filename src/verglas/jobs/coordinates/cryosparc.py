"""Particle locations of cryoSPARC `.cs` files: fractions of the micrograph, one row per particle."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.jobs.coordinates.pick_list import (
    FOM,
    PickList,
    UnreadableCoordinates,
    X,
    Y,
    pick_table,
)

if TYPE_CHECKING:
    import numpy as np

_X, _Y, _PATH = "location/center_x_frac", "location/center_y_frac", "location/micrograph_path"
_SHAPE, _SCORE = "location/micrograph_shape", "pick_stats/ncc_score"


def cryosparc_picks(path: Path) -> PickList | None:
    """All locations of a file; None if it has no rows. Raises UnreadableCoordinates."""
    data = _load(path)
    names = data.dtype.names or ()
    missing = [name for name in (_X, _Y) if name not in names]
    if missing:
        raise UnreadableCoordinates(
            f"{path} holds no particle locations ({', '.join(missing)} missing)"
        )
    if not len(data):
        return None
    columns: dict[str, Any] = {X: data[_X].astype("f8"), Y: data[_Y].astype("f8")}
    if _SCORE in names:
        columns[FOM] = data[_SCORE].astype("f8")
    micrographs = [_text(name) for name in data[_PATH]] if _PATH in names else None
    shapes = [(int(y), int(x)) for y, x in data[_SHAPE]] if _SHAPE in names else None
    return PickList(pick_table(columns), micrographs, "fractions", shapes)


def _load(path: Path) -> np.ndarray:
    import numpy as np

    try:
        data = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        raise UnreadableCoordinates(f"{path} is not a cryoSPARC table: {error}") from error
    if not isinstance(data, np.ndarray) or data.dtype.names is None or data.ndim != 1:
        raise UnreadableCoordinates(f"{path} is not a cryoSPARC table: it has no named columns")
    return data


def _text(value: Any) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return text.lstrip(">")  # cryoSPARC marks outputs of the job itself so
