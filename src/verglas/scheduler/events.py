"""`.verglas/events.jsonl`: what happened, one line each; answers "what happened last night?"."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from verglas.project.project import OWN_FOLDER

FILE_NAME = "events.jsonl"


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


def read_events(root: Path, *, last: int | None = None) -> Iterator[dict[str, object]]:
    """Events in the order they happened; a torn last line (full disc) is passed over."""
    try:
        lines = (root / OWN_FOLDER / FILE_NAME).read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines[-last:] if last else lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
