"""`run.out` as a page shows it: lines, and progress bars as numbers (pipeline.md §7.4)."""

from __future__ import annotations

import re
from typing import Any

from verglas.project.confinement import regular_file
from verglas.project.project import Project

_BAR = re.compile(r"^\s*([\d.?]+)\s*/\s*([\d.?]+) (sec|min|hrs) (\.*)\s*~~\(,_,\">(\s*\[oo\])?\s*$")
_FULL_DOTS = 60
TAIL_BYTES = 64 << 10


def log_tail(project: Project, name: str, n_bytes: int = TAIL_BYTES) -> dict[str, Any]:
    """The end of a log: `lines` (each {"text"} or {"bar"}), its size, whether the head was left out.

    What is no file of the project (a link that leads out, a pipe) is as if there were none.
    """
    try:
        with open(regular_file(project, name), "rb") as handle:
            size = handle.seek(0, 2)
            start = max(0, size - n_bytes)
            handle.seek(start)
            text = handle.read(n_bytes).decode("utf-8", "replace")
    except OSError:
        return {"size": 0, "cut": False, "lines": []}
    pieces = text.split("\n")
    if start:
        pieces = pieces[1:]
    if pieces and not pieces[-1]:
        pieces.pop()
    return {"size": size, "cut": start > 0, "lines": [log_line(piece) for piece in pieces]}


def log_line(piece: str) -> dict[str, Any]:
    """What a terminal would show of a line, a mouse and cheese as a bar."""
    shown = piece.rstrip("\r").rsplit("\r", 1)[-1]
    found = _BAR.match(shown)
    if found is None:
        return {"text": shown}
    done, total, unit, dots, _ = found.groups()
    fraction = min(1.0, len(dots) / _FULL_DOTS)
    known = "?" not in total
    return {"bar": {"fraction": fraction, "done": done, "total": total if known else "", "unit": unit}}


def last_bar(project: Project, name: str) -> dict[str, Any] | None:
    """The newest bar of a log and the line above it, which says what is being done."""
    lines = log_tail(project, name, 4096)["lines"]
    for index in range(len(lines) - 1, -1, -1):
        if "bar" in lines[index]:
            title = lines[index - 1].get("text", "") if index else ""
            return {**lines[index]["bar"], "title": title.strip()}
    return None
