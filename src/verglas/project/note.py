"""`note.txt`: the user's words and one block per execution, in RELION's layout (pipeline.md §1.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.regular import regular
from verglas.jobs.contract.control_files import NOTE

PROJECT_NOTE = "project_note.txt"


def execution_block(commands: Sequence[str], when: float) -> str:
    """The block RELION appends; the time is local, in ctime's layout."""
    lines = [
        "",
        f" ++++ Executing new job on {time.ctime(when)}",
        " ++++ with the following command(s): ",
        *commands,
        " ++++ ",
    ]
    return "\n".join(lines) + "\n"


def read_note(directory: Path, name: str = NOTE) -> str:
    """The whole note of a job (of the project: its root, PROJECT_NOTE); empty if there is none."""
    try:
        return regular(directory / name).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def write_note(directory: Path, text: str, name: str = NOTE) -> None:
    """Replace the whole note (an editor's save)."""
    write_text(directory / name, text)
