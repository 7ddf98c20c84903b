"""Progress: one interface, drawn as RELION's mouse and cheese in run.out (pipeline.md §7.4)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO, Protocol

MOUSE = '~~(,_,">'
CHEESE = "[oo]"
BAR_WIDTH = 60


class Progress(Protocol):
    """Told how much there is and how much is done; draws or records it."""

    def start(self, title: str, total: int) -> None: ...
    def update(self, done: int) -> None: ...


class SilentProgress:
    """Progress for library use: nothing is shown."""

    def start(self, title: str, total: int) -> None:
        pass

    def update(self, done: int) -> None:
        pass


class MouseProgress:
    """The bar RELION users know: a mouse runs along the dots to the cheese.

    Bytes are exactly those of pipeline.md §7.4 given the same clock. Updates that would not move the
    bar by a sixtieth are skipped, as RELION's callers do.
    """

    def __init__(self, out: IO[str] | None = None, clock: Callable[[], float] = time.time) -> None:
        self._out = out or sys.stdout
        self._clock = clock
        self._total = 0
        self._begin = 0.0
        self._drawn = -1

    def start(self, title: str, total: int) -> None:
        """Print the title line, then an empty bar. A total of 0 prints the title only."""
        if title:
            self._out.write(f" {title}\n")
        self._total = total
        self._drawn = 0
        self._begin = self._clock()
        if total > 0:
            self._out.write(f"000/??? sec {MOUSE}{' ' * 54}    {CHEESE}")
        self._out.flush()

    def update(self, done: int) -> None:
        """Draw `done` of the total (clamped); at the end the mouse reaches the cheese."""
        done = min(done, self._total)
        if done <= 0 or self._total <= 0:
            return
        if done < self._total and done - self._drawn < max(1, self._total // BAR_WIDTH):
            return
        self._drawn = done
        elapsed = int(self._clock() - self._begin)
        estimate = int(elapsed * self._total / done)
        if done == self._total:
            self._out.write(f"\r{_times(elapsed, estimate)}{'.' * BAR_WIDTH}{MOUSE}\n")
            self._total = 0
        else:
            dots = int(BAR_WIDTH * done / self._total)
            self._out.write(f"\r{_times(elapsed, estimate)}{'.' * dots}{MOUSE}")
        self._out.flush()


def _times(elapsed: int, estimate: int) -> str:
    if estimate <= 60:
        return f"{elapsed:4d}/{estimate:4d} sec "
    minutes = 60.0
    if estimate <= 60 * minutes:
        return f"{elapsed / minutes:3.2f}/{estimate / minutes:3.2f} min "
    return f"{elapsed / 3600:3.2f}/{estimate / 3600:3.2f} hrs "


def last_piece(line: str) -> str:
    """What a terminal would show of a line with carriage returns."""
    return line.rsplit("\r", 1)[-1]
