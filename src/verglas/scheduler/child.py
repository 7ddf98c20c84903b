"""Processes that may outlive whoever starts them, and that somebody takes note of when they end first."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO


def start_child(
    words: Sequence[str],
    cwd: Path,
    out: BinaryIO,
    err: BinaryIO,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a session of its own, without a terminal.

    A thread waits for its end, so that it never stays as a zombie whose owner seems alive, and nobody
    has to keep the returned object.
    """
    process = subprocess.Popen(
        words,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=environment,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name=f"reaper of {process.pid}", daemon=True).start()
    return process
