"""A project in which a chain of jobs is scheduled and run, as a user would do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verglas.jobs.registry import job_class
from verglas.project.project import Project
from verglas.project.registration import register
from verglas.scheduler.autorun import Autorun
from verglas.scheduler.schedule import Order, ScheduleFolder


class Chain:
    """Schedules jobs by type and options, runs the schedule in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = Project.create(root)
        self.jobs: list[str] = []

    def schedule(self, folder: str, **options: Any) -> str:
        job = job_class(folder)
        self.jobs.append(register(self.project, job, job.Options.checked(options)))
        return self.jobs[-1]

    def run(self, repeat: int = 1, min_wait_min: float = 0.0) -> int:
        schedule = ScheduleFolder(self.root, "test")
        schedule.create(Order("test", tuple(self.jobs), repeat=repeat, min_wait_min=min_wait_min))
        return Autorun(self.project, schedule).run()

    def errors(self) -> str:
        """Everything the jobs wrote into run.err."""
        return "\n".join(path.read_text() for path in sorted(self.root.glob("*/job*/run.err")))


@pytest.fixture
def new_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Chain]:
    def make() -> Chain:
        chain = Chain(tmp_path / "project")
        monkeypatch.chdir(chain.root)
        return chain

    return make
