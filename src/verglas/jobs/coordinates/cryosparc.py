"""Particle locations of cryoSPARC `.cs` files: fractions of the micrograph, one row per particle."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.jobs.coordinates.pick_list import (
    FOM,
    PickList,
    UnreadableCoordinates,
    X,
    Y,
    check_no_names,
    pick_table,
)

if TYPE_CHECKING:
    import numpy as np

_X, _Y, _PATH = "location/center_x_frac", "location/center_y_frac", "location/micrograph_path"
_DAMAGE = (
    *(ValueError, TypeError, LookupError, EOFError, SyntaxError, OverflowError, MemoryError),
    *(tokenize.TokenError, zipfile.BadZipFile),
)
"""What numpy raises on a damaged header, which it reads as a piece of Python."""
_SHAPE, _SCORE = "location/micrograph_shape", "pick_stats/ncc_score"


def cryosparc_picks(path: Path) -> PickList | None:
    """All locations of a file; None if it has no rows. Raises UnreadableCoordinates."""
    data = _load(path)
    names = data.dtype.names or ()
    missing = [name for name in (_X, _Y) if name not in names]
    if missing:
        raise UnreadableCoordinates(f"{path} holds no particle locations ({', '.join(missing)} missing)")
    if not len(data):
        return None
    columns: dict[str, Any] = {X: data[_X].astype("f8"), Y: data[_Y].astype("f8")}
    if _SCORE in names:
        columns[FOM] = data[_SCORE].astype("f8")
    micrographs = [_text(name) for name in data[_PATH]] if _PATH in names else None
    for name in names if micrographs is None else ():
        if data.dtype[name].kind in "SU":
            check_no_names(path, name, map(_text, data[name]))
    shapes = [(int(y), int(x)) for y, x in data[_SHAPE]] if _SHAPE in names else None
    return PickList(pick_table(columns), micrographs, "fractions", shapes)


def _load(path: Path) -> np.ndarray:
    import numpy as np

    try:
        with open(path, "rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of headers that Python 2 wrote
            data = np.load(handle, allow_pickle=False)
            behind = len(handle.read())
    except _DAMAGE as error:
        raise UnreadableCoordinates(f"{path} is not a cryoSPARC table: {error}") from error
    if behind:
        raise UnreadableCoordinates(f"{path} is damaged: {behind} bytes lie behind its table")
    if not isinstance(data, np.ndarray) or data.dtype.names is None or data.ndim != 1:
        raise UnreadableCoordinates(f"{path} is not a cryoSPARC table: it has no named columns")
    return data


def _text(value: Any) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return text.lstrip(">")  # cryoSPARC marks outputs of the job itself so
