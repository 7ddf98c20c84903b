"""Elapsed time that no change of the calendar can bend."""

from __future__ import annotations

import time

from verglas.project.owner import boot_id


def boottime_s() -> float:
    """Seconds since this machine booted, sleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def elapsed_s(boot: str, at_boottime_s: float, at_wall_s: float) -> float:
    """Seconds since an instant; by the calendar only if the machine was booted in between."""
    if boot == boot_id():
        return boottime_s() - at_boottime_s
    return max(0.0, time.time() - at_wall_s)
