"""`verglas run JOBDIR`: run one job in this process; what schedulers and queue scripts start."""

from __future__ import annotations

import os
from collections.abc import Sequence

from verglas.cli.arguments import CommandError, obey, split_words

_HELP = """verglas run JOBDIR [--foreground]
Run the job of a job directory, e.g. verglas run Class2D/job006, from the project root.
Output goes to run.out and run.err there (--foreground: to this terminal).
Exit code: 0 success, 1 failure, 2 aborted, 3 waiting for input."""


def main(words: Sequence[str]) -> int:
    """Returns the job's exit code."""
    from verglas.scheduler.job_process import AlreadyRunning

    return obey("run", words, _HELP, _run, (KeyError, OSError, AlreadyRunning))


def _run(words: list[str]) -> int:
    from verglas.project.project import Project
    from verglas.scheduler.job_process import redirect_output, run_job

    parsed = split_words(words, {"--foreground": False})
    if len(parsed.positional) != 1:
        raise CommandError("name one job directory")
    project = Project.open()
    os.chdir(project.root)
    name = project.job_name(parsed.positional[0])
    if not parsed.has("--foreground"):
        redirect_output(project.root / name)
    return run_job(project, name)
