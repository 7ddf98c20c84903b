"""Unfinished files of processes that were killed: recognised by their names, removed in time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from verglas.formats.atomic import is_temporary, temporary_name

OLD_S = 60.0  # whoever writes a small file has finished by then, or never will


def sweep(folder: Path, *, below: bool = False, old_s: float = OLD_S) -> int:
    """Remove our unfinished files from a folder (and those below it); returns how many.

    Ages are told by the clock of the file system itself.
    """
    try:
        now = now_on_disc_s(folder)
    except OSError:
        return 0
    removed = 0
    for parent, folders, files in os.walk(folder):
        if not below:
            folders.clear()
        for name in files:
            if not is_temporary(name):
                continue
            path = Path(parent) / name
            with suppress(OSError):
                if now - path.stat().st_mtime >= old_s:
                    path.unlink()
                    removed += 1
    return removed


def now_on_disc_s(folder: Path) -> float:
    """The time by the clock that stamps files here: that of a fresh one. Raises OSError."""
    probe = temporary_name(folder / "now")
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
