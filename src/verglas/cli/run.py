"""`verglas run JOBDIR`: run one job in this process; what schedulers and queue scripts start."""

from __future__ import annotations

import os
from collections.abc import Sequence

from verglas.cli.arguments import CommandError, complain, split_words

_HELP = """verglas run JOBDIR [--foreground]
Run the job of a job directory, e.g. verglas run Class2D/job006, from the project root.
Output goes to run.out and run.err there (--foreground: to this terminal).
Exit code: 0 success, 1 failure, 2 aborted, 3 waiting for input."""


def main(words: Sequence[str]) -> int:
    """Returns the job's exit code."""
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    from verglas.project.project import Project
    from verglas.scheduler.job_process import AlreadyRunning, redirect_output, run_job

    try:
        parsed = split_words(rest, {"--foreground": False})
        if len(parsed.positional) != 1:
            raise CommandError("name one job directory")
        project = Project.open()
        os.chdir(project.root)
        name = project.job_name(parsed.positional[0])
        if not parsed.has("--foreground"):
            redirect_output(project.root / name)
        return run_job(project, name)
    except (CommandError, KeyError, OSError, AlreadyRunning) as error:
        return complain("run", error)
