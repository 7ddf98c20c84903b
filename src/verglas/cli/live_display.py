"""The terminal's view of a live session."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder
    from verglas.scheduler.live.record.status import LiveStatus

REFRESH_S = 1.0
SHOWN = 12


def watch(folder: LiveFolder) -> int:
    """Show the session until it is over or the user presses Ctrl-C (the session goes on)."""
    from verglas.scheduler.live.record.order import OVER
    from verglas.scheduler.live.record.status import read_status

    console = Console()
    try:
        with Live(_now(folder), console=console, refresh_per_second=2) as live:
            while True:
                status = read_status(folder)
                live.update(_now(folder))
                if status.phase in OVER:
                    return 0
                time.sleep(REFRESH_S)
    except KeyboardInterrupt:
        console.print("the session goes on; verglas live pause stops it")
        return 0


def _now(folder: LiveFolder) -> Any:
    from verglas.scheduler.live.record.answer_lines import answer_lines
    from verglas.scheduler.live.record.status import read_status

    return picture(read_status(folder), answer_lines(folder))


def picture(status: LiveStatus, lines: Sequence[str] = ()) -> Any:
    """Figures, stages, what the map says (`lines`), newest micrographs, and what is wrong."""
    return Group(
        Text(f"{status.name}: {status.line}", style="bold"),
        Text(f"latency {status.latency_s:.1f} s, lists {status.lists_age_s:.0f} s old", style="dim"),
        _stages(status),
        Text(status.classes_line),
        *([Text(status.map_line)] if status.map_line else []),
        *(Text(line) for line in lines),
        _newest(status),
        *(Text(f"! {problem}", style="yellow") for problem in status.problems[-4:]),
        *(Text(f"not taken: {name}: {why}", style="dim") for name, why in status.not_taken[:4]),
    )


def _stages(status: LiveStatus) -> Table:
    table = Table(box=None)
    for column in ("stage", "done", "in hand", "waiting", "set aside", "s each"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for each in status.stages:
        cells = (each.done, each.in_hand, each.waiting, each.aside)
        table.add_row(each.job, *map(str, cells), f"{each.mean_s:.2f}")
    return table


def _newest(status: LiveStatus) -> Table:
    table = Table(box=None)
    columns = {
        "motion Å": "motion_total_angst",
        "defocus Å": "defocus_u_angst",
        "CTF fit Å": "ctf_resolution_angst",
        "picks": "picks",
        "particles": "particles",
    }
    table.add_column("newest")
    for title in columns:
        table.add_column(title, justify="right")
    table.add_column("")
    for each in status.newest[:SHOWN]:
        cells = [f"{each.figures[key]:.4g}" if key in each.figures else "" for key in columns.values()]
        table.add_row(each.name.rsplit("/", 1)[-1], *cells, each.aside[:60])
    return table
