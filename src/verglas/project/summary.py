"""One line per job, for status and lists; imports nothing heavy and reads only small files."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from verglas.jobs.registry import job_folders
from verglas.project.completion import InQueue, check_completion
from verglas.project.dialect import PROCESS_TYPES, Status
from verglas.project.graph import Process
from verglas.project.project import Project

_LISTS = {Status.RUNNING: "Running", Status.SCHEDULED: "Scheduled"}


@dataclass(frozen=True)
class JobSummary:
    """What a list shows of a job."""

    name: str
    alias: str
    status: str
    folder: str
    foreign: bool  # of a type that verglas cannot run
    reason: str  # why it failed, was aborted, or waits

    @property
    def list_title(self) -> str:
        return _LISTS.get(Status.from_text(self.status), "Finished")

    @property
    def line(self) -> str:
        shown = self.name if self.alias == "None" else f"{self.name} ({self.alias.rstrip('/')})"
        text = f"{shown:<32} {self.status}"
        if self.foreign:
            text += "  [foreign]"
        first = self.reason.splitlines()[0] if self.reason else ""
        return f"{text}: {first}" if first else text

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def job_summaries(project: Project, in_queue: InQueue | None = None) -> list[JobSummary]:
    """All jobs in pipeline order, after looking whether running ones have ended."""
    check_completion(project, in_queue)
    return [summary(project, process) for process in project.graph().processes.values()]


def summary(project: Project, process: Process) -> JobSummary:
    status = process.status
    reason = ""
    if status is not Status.SUCCEEDED:
        outcome = project.directory(process.name).outcome()
        if outcome is not None:
            waiting = outcome.kind == "waiting"
            reason = f"waiting: {outcome.reason}" if waiting else outcome.reason
    return JobSummary(
        process.name, process.alias, status.label, process.folder, is_foreign(process), reason
    )


def is_foreign(process: Process) -> bool:
    """Whether RELION's type is one that verglas has no job for."""
    code = process.type_code
    folder = next((folder for known, folder, _ in PROCESS_TYPES if known == code), None)
    return folder not in job_folders() or (code is not None and 50 <= code < 99)
