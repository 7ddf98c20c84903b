"""Waiting for a disc that cannot be written: whatever was in hand is done again when it can."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.atomic import temporary_name
from verglas.jobs.contract.base import RunContext

PAUSE_S = 2.0  # at least, however soon a small file can be written again
PROBE_BYTES = 1 << 20


@dataclass(frozen=True)
class Unwritable:
    """What became of an item whose output could not be written; the error in words."""

    reason: str


def wait_until_writable(context: RunContext, found: Unwritable) -> None:
    """Say why, and return when a file can be written where the job writes. Raises JobAborted."""
    context.warn(f" Pausing: {found.reason}; it goes on by itself when the disc can be written")
    pause_until_writable(context.control or context.directory, context.check_abort)
    context.say(" Files can be written again: going on")


def pause_until_writable(folder: Path, check: Callable[[], None]) -> None:
    """At least one pause, then as many as it takes; `check` may raise."""
    while True:
        end = time.monotonic() + PAUSE_S
        while time.monotonic() < end:
            check()
            time.sleep(min(0.2, PAUSE_S))
        if _can_write(folder):
            return


def _can_write(folder: Path) -> bool:
    probe = temporary_name(folder / "probe")
    try:
        with open(probe, "wb") as out:
            out.write(os.urandom(PROBE_BYTES))
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True
