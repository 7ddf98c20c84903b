"""Knowing that a job's output lists are up to date, so that a round with nothing new writes nothing.

After gathering, a stamp of everything the lists depend on is left in `.verglas_gathered.json`: flags, input
files, which items are done, and the lists themselves (a list that somebody changed or removed is made
again).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verglas import __version__
from verglas.formats.atomic import write_text
from verglas.jobs.contract.control_files import (
    EXIT_FILES,
    JOB_PIPELINE,
    JOB_STAR,
    NOTE,
    PIPELINE_BACKUP,
    RUN_ERR,
    RUN_OUT,
)
from verglas.jobs.contract.set_aside import file_stamp

FILE_NAME = ".verglas_gathered.json"
_RECORDS = {*EXIT_FILES, JOB_PIPELINE, JOB_STAR, NOTE, PIPELINE_BACKUP, RUN_ERR, RUN_OUT}


def is_gathered(directory: Path, flags: Mapping[str, Any], done: Iterable[str]) -> bool:
    """Whether the lists in `directory` were made from exactly this."""
    try:
        known = json.loads((directory / FILE_NAME).read_text())
    except (OSError, ValueError):
        return False
    return known == _stamp(directory, flags, done)


def remember_gathered(directory: Path, flags: Mapping[str, Any], done: Iterable[str]) -> None:
    """Call after the lists were written."""
    text = json.dumps(_stamp(directory, flags, done))
    write_text(directory / FILE_NAME, text, durable=False)


def _stamp(directory: Path, flags: Mapping[str, Any], done: Iterable[str]) -> dict[str, str]:
    names = hashlib.sha256("\n".join(done).encode("utf-8", "surrogateescape")).hexdigest()
    inputs = {name: file_stamp(Path(value)) for name, value in flags.items() if _is_file(value)}
    return {
        "version": __version__,
        "flags": repr(sorted(flags.items())),
        "inputs": repr(sorted(inputs.items())),
        "done": names,
        "lists": repr(_lists(directory)),
    }


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and os.path.isfile(value)


def _lists(directory: Path) -> list[tuple[str, str]]:
    """Files at the top of the job directory that are results."""
    return sorted(
        (entry.name, file_stamp(Path(entry.path)))
        for entry in os.scandir(directory)
        if entry.is_file() and not entry.name.startswith(".") and entry.name not in _RECORDS
    )
