"""Coordinates of EMAN: `.box` (corner and size) and `.json` (centres)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from verglas.jobs.coordinates.pick_list import (
    FOM,
    PickList,
    UnreadableCoordinates,
    X,
    Y,
    numbers,
    pick_table,
    text_of,
)
from verglas.jobs.coordinates.text_picks import lines_of

_OTHER_CONTENT = {"ctf", "ctf_frame", "quality", "sets", "global_zoom", "boxes_rct", "apix_unbin"}


def box_picks(path: Path) -> PickList | None:
    """EMAN1: x0 y0 width height [score]; the centre is x0 + width // 2 (integer division)."""
    found = []
    for line, words in lines_of(path):
        if len(words) < 4:
            raise UnreadableCoordinates(
                f"{path}, line {line}: expected x y width height, found {' '.join(words)!r}"
            )
        x0, y0, width, height, *rest = numbers(path, line, words[:5])
        if not (math.isfinite(width) and math.isfinite(height)):
            raise UnreadableCoordinates(f"{path}, line {line}: the box is {width:g} x {height:g} pixels")
        found.append((x0 + int(width) // 2, y0 + int(height) // 2, *rest))
    return _picks(path, found)


def json_picks(path: Path) -> PickList | None:
    """EMAN2 info file: "boxes" holds [x, y, kind, ...] with centres."""
    try:
        content = json.loads(text_of(path))
    except RecursionError:
        raise UnreadableCoordinates(f"{path}: nested too deeply") from None
    boxes = content.get("boxes") if isinstance(content, dict) else content
    if boxes is None:
        unknown = set(content or ()) - _OTHER_CONTENT
        if unknown:
            raise UnreadableCoordinates(f'{path}: no "boxes", but {", ".join(sorted(unknown))}')
        return None
    try:
        found = [(_number(box[0]), _number(box[1])) for box in boxes]
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise UnreadableCoordinates(f'{path}: "boxes" does not hold [x, y, ...]: {error}') from None
    return _picks(path, found)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, found {value!r}")
    return float(value)


def _picks(path: Path, rows: list[Any]) -> PickList | None:
    if not rows:
        return None
    scored = {len(row) > 2 for row in rows}
    if len(scored) > 1:
        raise UnreadableCoordinates(f"{path}: some rows have a score, some have none")
    columns = {X: [float(row[0]) for row in rows], Y: [float(row[1]) for row in rows]}
    if scored == {True}:
        columns[FOM] = [float(row[2]) for row in rows]
    return PickList(pick_table(columns))
