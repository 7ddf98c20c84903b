"""Showing a running job on the terminal: what it writes into run.out, and how it ended."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from verglas.jobs.contract.control_files import ABORTED, FAILED, RUN_ERR, RUN_OUT, SUCCEEDED, WAITING
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.scheduler.launch import Launched, abort, wait_for

_CODES = {Status.SUCCEEDED: SUCCEEDED, Status.FAILED: FAILED, Status.ABORTED: ABORTED}
PAUSE_S = 0.2


def follow(project: Project, launched: Launched) -> int:
    """Copy new output until the job ends; Ctrl-C asks it to stop. Returns its exit code."""
    copies = [
        _Copy(project.root / launched.name / RUN_OUT, sys.stdout),
        _Copy(project.root / launched.name / RUN_ERR, sys.stderr),
    ]
    status = None
    while status is None:
        try:
            status = wait_for(project, launched, PAUSE_S)
        except KeyboardInterrupt:
            abort(project, launched.name)
        for copy in copies:
            copy.more()
    time.sleep(0)
    if status is Status.SCHEDULED:
        return WAITING
    return _CODES.get(status, FAILED)


class _Copy:
    """Copies what is appended to a log from now on."""

    def __init__(self, path: Path, out: object) -> None:
        self.path, self.out = path, out
        self.position = path.stat().st_size if path.exists() else 0

    def more(self) -> None:
        try:
            with open(self.path, "rb") as handle:
                handle.seek(self.position)
                data = handle.read()
        except OSError:
            return
        self.position += len(data)
        self.out.write(data.decode("utf-8", "replace"))  # type: ignore[attr-defined]
        self.out.flush()  # type: ignore[attr-defined]
