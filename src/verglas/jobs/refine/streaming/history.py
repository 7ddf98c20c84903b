"""`map_history.jsonl`: one line for each update, for programs and pages."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.atomic import atomic_write

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

HISTORY = "map_history.jsonl"
SEARCHED = "verglasSearchedInUpdate"  # of run_data.star: the update that searched a particle's pose last


def history_line(
    settings: EmSettings, joined: State, number: int, counts: dict[str, int], seconds: float, **more: Any
) -> str:
    """What an update came to; lengths in Å, null for the unknown."""
    from verglas.em.state.model import UNKNOWN_ACCURACY

    model = joined.model
    curve = model.gold_standard_fsc[0]

    def known(value: float) -> float | None:
        return round(float(value), 4) if value < UNKNOWN_ACCURACY else None

    found = {
        "update": number,
        "time": round(time.time(), 3),
        **counts,
        "resolution_angst": round(1 / model.current_resolution, 4) if model.current_resolution > 0 else None,
        "fsc": [[round(s / model.extent_angst, 6), round(float(v), 5)] for s, v in enumerate(curve)],
        "pmax": round(model.average_p_max, 5),
        "angular_accuracy_deg": known(joined.accuracy_rot_deg),
        "offset_accuracy_angst": known(joined.accuracy_shift_angst),
        "seconds": round(seconds, 3),
        "symmetry": settings.symmetry,
        "pixel_size_angst": model.pixel_size_angst,
        "box": model.box_size,
        **more,
    }
    return json.dumps(found, allow_nan=False)


def add_to_history(directory: Path, line: str) -> None:
    """Append a line unless its update is there already; a line that was cut by a crash goes."""
    path = directory / HISTORY
    lines = []
    with suppress(FileNotFoundError):
        lines = [text for text in path.read_text().splitlines() if _update(text) is not None]
    number = _update(line)
    if any(_update(text) == number for text in lines):
        return
    with atomic_write(path, "w") as out:
        out.write("".join(f"{text}\n" for text in [*lines, line]))


def _update(line: str) -> int | None:
    """The number of a line's update; None for what is no line."""
    try:
        found = json.loads(line)["update"]
    except (ValueError, KeyError, TypeError):
        return None
    return int(found)
