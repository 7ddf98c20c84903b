"""`pipeline_NAME.log`, in the words of RELION's scheduler (pipeline.md §3.7)."""

from __future__ import annotations

import time
from pathlib import Path

from verglas.scheduler.schedule import Order

BANNER = " " + "+" * 55


class ScheduleLog:
    """Appends lines to the log; `echo` shows them on the terminal as well."""

    def __init__(self, path: Path, *, echo: bool = False) -> None:
        self.path, self.echo = path, echo

    def write(self, *lines: str) -> None:
        text = "".join(f"{line}\n" for line in lines)
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(text)
        if self.echo:
            print(text, end="", flush=True)

    def dated(self, line: str) -> None:
        self.write(f" + {time.ctime()}", line)

    def opening(self, order: Order, running_file: Path) -> None:
        self.write(BANNER, f" Starting a new scheduler execution called {order.name}")
        self.write(" The scheduled jobs are: ", *(f" - {job}" for job in order.jobs))
        if order.repeat > 1:
            self.write(
                f" Will execute the scheduled jobs {order.repeat} times.",
                f" Will wait until at least {order.min_wait_min:g} minutes have passed between each repeat.",
            )
        self.write(f" Will be checking for existence of file {running_file.name}, removing it stops.")
        self.write(BANNER)
