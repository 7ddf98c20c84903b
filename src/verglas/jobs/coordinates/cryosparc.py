"""Particle locations of cryoSPARC `.cs` files: fractions of the micrograph, one row per particle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_X, _Y, _PATH = "location/center_x_frac", "location/center_y_frac", "location/micrograph_path"
_SHAPE = "location/micrograph_shape"


def cryosparc_rows(path: Path, micrograph: str, shape_yx: tuple[int, int] | None) -> dict[str, Any]:
    """Columns of the rows of one micrograph, by label; empty if it has none.

    Raises ValueError for a file without locations, or without shapes where none is given.
    """
    import numpy as np

    from verglas.jobs.coordinates.reading import same_micrograph

    data = _load(path)
    names = data.dtype.names or ()
    missing = [name for name in (_X, _Y) if name not in names]
    if missing:
        raise ValueError(f"{path} holds no particle locations ({', '.join(missing)} missing)")
    if _PATH in names:
        wanted = [same_micrograph(_text(name), micrograph) for name in data[_PATH]]
        data = data[wanted]
    if not len(data):
        return {}
    if _SHAPE in names:
        rows, columns = data[_SHAPE][:, 0], data[_SHAPE][:, 1]
    elif shape_yx is not None:
        rows, columns = np.array(shape_yx)
    else:
        raise ValueError(f"{path} does not say how large the micrographs are")
    found: dict[str, Any] = {
        "rlnCoordinateX": data[_X].astype("f8") * columns,
        "rlnCoordinateY": data[_Y].astype("f8") * rows,
    }
    if "pick_stats/ncc_score" in names:
        found["rlnAutopickFigureOfMerit"] = data["pick_stats/ncc_score"].astype("f8")
    return found


def _load(path: Path) -> np.ndarray:
    import numpy as np

    try:
        data = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a cryoSPARC table: {error}") from error
    if not isinstance(data, np.ndarray) or data.dtype.names is None:
        raise ValueError(f"{path} is not a cryoSPARC table: it has no named columns")
    return data


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
