"""Waiting for what will happen, however slow the machine is; the limit of a whole test ends a hang."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    while not condition():
        time.sleep(0.05)
