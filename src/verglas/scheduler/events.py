"""`.verglas/events.jsonl`: what happened, one line each; answers "what happened last night?"."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from verglas.formats.regular import regular
from verglas.project.project import OWN_FOLDER

FILE_NAME = "events.jsonl"
_BLOCK = 1 << 18


def record_event(root: Path, kind: str, text: str, **details: object) -> None:
    """Append one event; several processes may do so at once (one write each)."""
    folder = root / OWN_FOLDER
    folder.mkdir(exist_ok=True)
    now = datetime.fromtimestamp(time.time()).astimezone().isoformat(timespec="seconds")
    line = json.dumps({"time": now, "kind": kind, "text": text, **details})
    handle = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(handle, line.encode() + b"\n")
    finally:
        os.close(handle)


def read_events(root: Path, *, last: int | None = None) -> Iterator[dict[str, Any]]:
    """Events in the order they happened, each with `time`, `kind` and `text`.

    A line that is none (a full disc, an editor) stands as an event of kind "damaged" at its place: it
    hides no other. An unfinished last line is being written and is passed over.
    """
    time_before = ""
    for line in _last_lines(root / OWN_FOLDER / FILE_NAME, last):
        event = _event(line)
        if event is None:
            text = f"a line of {FILE_NAME} cannot be read: {line[:80].decode(errors='replace')!r}"
            event = {"time": time_before, "kind": "damaged", "text": text}
        time_before = event["time"]
        yield event


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    needed = ("time", "kind", "text")
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in needed):
        return None
    return found


def _last_lines(path: Path, last: int | None) -> list[bytes]:
    """The last finished lines of a file; all of them without `last`. Costs only what is read."""
    blocks: list[bytes] = []
    found = 0
    try:
        with open(regular(path), "rb") as log:
            at = log.seek(0, os.SEEK_END)
            while at > 0 and (last is None or found <= last):
                at, before = max(0, at - _BLOCK), at
                log.seek(at)
                blocks.insert(0, log.read(before - at))
                found += blocks[0].count(b"\n")
    except OSError:
        return []
    lines = b"".join(blocks).split(b"\n")[:-1]  # what follows the last end is being written
    return lines if last is None else lines[-last:]
