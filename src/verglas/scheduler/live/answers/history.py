"""The updates of a session's map, from `map_history.jsonl` of its job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from verglas.outlook.curve import crossing_angst
from verglas.outlook.forecast import LEAST_UPDATES, Update
from verglas.scheduler.live.answers.told import FscCurve, Moment

Line = dict[str, Any]
_NEEDED = ("time", "particles", "resolution_angst", "pixel_size_angst")


def of_one_kind(history: Sequence[Line]) -> list[Line]:
    """The updates of the map as it is made now, oldest first: those with the last one's box, pixels and symmetry."""
    lines = [line for line in history if all(key in line for key in _NEEDED)]
    start = next((n + 1 for n in reversed(range(len(lines))) if _kind(lines[n]) != _kind(lines[-1])), 0)
    return lines[start:]


def nyquist_angst(lines: Sequence[Line]) -> float:
    return 2 * float(lines[-1]["pixel_size_angst"])


def moments(lines: Sequence[Line]) -> list[Moment]:
    """Number of particles and resolution after each update that has one.

    Within the mask where the last few updates know it, else where the FSC crosses 0.143, else as it was told.
    """
    masked = [line for line in lines if line.get("masked_resolution_angst")]
    by_mask = len(masked) >= min(LEAST_UPDATES, len(lines)) and masked[-1] is lines[-1]
    found = []
    for line in masked if by_mask else lines:
        angst = float(line["masked_resolution_angst"]) if by_mask else _resolution(line)
        if math.isfinite(angst) and angst > 0:
            found.append(Moment(float(line["time"]), int(line["particles"]), round(angst, 4)))
    return found


def updates(lines: Sequence[Line]) -> list[Update]:
    """For the forecast; subsets of the last map's particles, where somebody tried them, come first."""
    tried = lines[-1].get("subsets") or []
    subsets = [Update(float(count), float(angst), settled=True) for count, angst in tried]
    return subsets + [Update(each.particles, each.resolution_angst) for each in moments(lines)]


def curves(lines: Sequence[Line]) -> tuple[FscCurve | None, FscCurve | None]:
    """FSC now, and that of about half as many particles (or of the first update)."""
    known = [line for line in lines if line.get("fsc")]
    if not known:
        return None, None
    now = known[-1]
    half = [line for line in known[:-1] if 2 * line["particles"] <= now["particles"]]
    before = half[-1] if half else known[0] if len(known) > 1 else None
    return _curve(now), _curve(before) if before is not None else None


def _kind(line: Line) -> tuple[Any, ...]:
    return line.get("box"), line["pixel_size_angst"], str(line.get("symmetry", "C1")).upper()


def _resolution(line: Line) -> float:
    import numpy as np

    curve = np.array(line.get("fsc") or [], float).reshape(-1, 2)
    told = float(line["resolution_angst"] or "inf")
    return crossing_angst(curve[:, 0], curve[:, 1]) if len(curve) > 1 else told


def _curve(line: Line) -> FscCurve:
    points = [(float(x), float(y)) for x, y in line["fsc"]]
    return FscCurve(int(line["particles"]), [x for x, _ in points], [y for _, y in points])
