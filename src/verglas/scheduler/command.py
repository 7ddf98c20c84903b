"""The command lines of a job: what note.txt shows and what really starts it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from verglas.jobs.contract.base import Job
from verglas.jobs.contract.options import JobOptions

KEEP_ROUNDS = "VERGLAS_KEEP_ROUNDS"  # earlier results of a job from scratch that are to be kept
ATTEMPT = "VERGLAS_ATTEMPT"  # which start of the job a process stems from


def program_words(job: type[Job], options: JobOptions, directory: str, is_continue: bool) -> list[str]:
    """The program's flags for these options."""
    return job.command_line(options, directory, is_continue)


def command_text(job: type[Job], words: Sequence[str]) -> str:
    """The line a user could type to get the same."""
    return shlex.join(["verglas", job.program.name, *words])


def run_words(name: str) -> list[str]:
    """What starts a registered job as a process of its own."""
    return [sys.executable, "-m", "verglas.cli.main", "run", name]


def local_words(job: type[Job], options: JobOptions, name: str) -> list[str]:
    """What starts a job on this machine: under mpirun only if its ranks work together.

    Jobs that work item by item spread over worker processes by themselves.
    """
    ranks = int(getattr(options, "nr_mpi", 1))
    if job.over_ranks == "together" and ranks > 1:
        return [*mpirun_command(), "-n", str(ranks), *run_words(name)]
    return run_words(name)


def mpirun_command() -> list[str]:
    """What starts ranks: RELION_MPIRUN, or the mpirun installed beside this Python, or the site's."""
    given = os.environ.get("RELION_MPIRUN")
    if given:
        return shlex.split(given)
    beside = Path(sys.executable).with_name("mpirun")
    return [str(beside) if beside.exists() else "mpirun"]


def process_environment() -> dict[str, str]:
    """The environment of a job's process; Open MPI refuses root unless it is told twice."""
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **as_root, "PYTHONUNBUFFERED": "1"}
