"""A refinement's progress for its page, from the stream beside its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verglas.project.confinement import file_if_any
from verglas.project.project import Project

TAIL_BYTES = 1 << 20


def refinement_progress(project: Project, job: str) -> dict[str, Any]:
    """`iterations` done, and the `stage` a run is in; both empty for a job that has no stream."""
    found: dict[str, Any] = {"iterations": [], "stage": None}
    folder = project.root / job
    found_here = [*folder.glob("run*_progress.jsonl"), *folder.glob(".round-*/run*_progress.jsonl")]
    names = (str(path.relative_to(project.root)) for path in found_here)
    streams = [path for name in names if (path := file_if_any(project, name)) is not None]
    if not streams:
        return found
    newest = max(streams, key=lambda path: path.stat().st_mtime_ns)
    for event in _events(newest):
        kind = event.pop("event", "")
        if kind == "iteration":
            found["iterations"].append(event)
        elif kind == "stage":
            found["stage"] = event | {"done": 0}
        elif kind == "done" and found["stage"] is not None:
            found["stage"] |= {"done": event["done"], "s": event["s"]}
    return found


def _events(path: Path) -> list[dict[str, Any]]:
    """Whole lines of the end of a stream; a line that a crash cut off is left out."""
    with open(path, "rb") as handle:
        size = handle.seek(0, 2)
        handle.seek(max(0, size - TAIL_BYTES))
        lines = handle.read().decode("utf-8", "replace").split("\n")
    events = []
    for line in lines[1 if size > TAIL_BYTES else 0 :]:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
