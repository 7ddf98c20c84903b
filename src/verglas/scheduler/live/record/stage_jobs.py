"""The jobs of the stages as a session makes them: from options, in silence, on lists of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from verglas.jobs.contract.micrograph_job import MicrographJob
from verglas.jobs.contract.program import Arguments
from verglas.jobs.registry import job_class


def stage_arguments(
    stage: str, options: Mapping[str, str], directory: str
) -> tuple[type[MicrographJob[Any]], Arguments]:
    """A stage's job type, and its arguments in a directory (with a slash at its end)."""
    kind = job_class(stage)
    if not issubclass(kind, MicrographJob):
        raise TypeError(f"{stage} does not work movie by movie")
    parsed, _ = kind.Options.parse(options)
    return kind, kind.program.parse(kind.command_line(parsed, directory, True))


def on_list(arguments: Arguments, path: str) -> Arguments:
    """The same with another input list."""
    return Arguments({**arguments.parsed, "--i": path}, arguments.given)


@contextmanager
def scratch_list(data: bytes) -> Iterator[str]:
    """The path of a STAR file in the system's scratch space while a block runs."""
    handle, path = tempfile.mkstemp(prefix="verglas-live-", suffix=".star")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        yield path
    finally:
        os.unlink(path)


def quiet(text: str) -> None:
    """What is said of single movies belongs to the set-aside lists, not to a log."""
