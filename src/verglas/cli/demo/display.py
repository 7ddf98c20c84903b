"""Live display of a running schedule: one line per job, with the bar its run.out shows."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from verglas.compute.progress import last_piece
from verglas.project.project import Project

REFRESH_SECONDS = 0.5


class ScheduleDisplay:
    """Shows the jobs of a project while a block runs; plain lines where there is no terminal."""

    def __init__(self, project: Project, title: str) -> None:
        self._project = project
        self._title = title
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._console = Console()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        if self._console.is_terminal:
            with Live(self._table(), console=self._console, refresh_per_second=4) as live:
                while not self._stop.wait(REFRESH_SECONDS):
                    live.update(self._table())
                live.update(self._table())
            return
        told: dict[str, str] = {}
        while not self._stop.wait(REFRESH_SECONDS):
            for name, process in self._project.graph().processes.items():
                if told.get(name) != process.status.label:
                    told[name] = process.status.label
                    self._console.print(f"  {name:<22} {process.status.label}")

    def _table(self) -> Table:
        table = Table(title=self._title, title_justify="left", box=None)
        for column in ("job", "state", ""):
            table.add_column(column)
        for name, process in self._project.graph().processes.items():
            line = last_line(self._project.root / name / "run.out")
            shown = line if process.status.label == "Running" else ""
            table.add_row(name, process.status.label, shown[:90])
        return table


def last_line(path: Path) -> str:
    """What a terminal would show as the last non-empty line of a log."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, handle.seek(0, 2) - 4000))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [last_piece(line).strip() for line in text.split("\n")]
    return next((line for line in reversed(lines) if line), "")
