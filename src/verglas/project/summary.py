"""One line per job, for status and lists; imports nothing heavy and reads only small files."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

from verglas.jobs.registry import job_folders
from verglas.project.completion import Ended, InQueue, find_ends, record_ends
from verglas.project.cut_pipeline import CutPipeline
from verglas.project.dialect import PROCESS_TYPES, Status
from verglas.project.graph import Process
from verglas.project.project import Project

log = logging.getLogger("verglas.project")
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
    ends = find_ends(project, in_queue)
    try:
        if ends:
            record_ends(project, ends)
        ends = []
    except (OSError, CutPipeline) as error:  # a full or read-only disc: what is so is shown all the same
        log.warning("what jobs came to cannot be written down: %s", error)
    ended = {each.name: each for each in ends}
    processes = project.graph().processes.values()
    return [summary(project, process, ended.get(process.name)) for process in processes]


def summary(project: Project, process: Process, ended: Ended | None = None) -> JobSummary:
    """What is recorded of a job, or what it came to if that is not recorded yet."""
    status = ended.status if ended else process.status
    reason = ""
    if status is not Status.SUCCEEDED:
        outcome = project.directory(process.name).outcome()
        if outcome is not None:
            waiting = outcome.kind == "waiting"
            reason = f"waiting: {outcome.reason}" if waiting else outcome.reason
        if ended is not None:
            reason = "; ".join(ended.messages) or reason
    return JobSummary(process.name, process.alias, status.label, process.folder, is_foreign(process), reason)


def is_foreign(process: Process) -> bool:
    """Whether RELION's type is one that verglas has no job for."""
    code = process.type_code
    folder = next((folder for known, folder, _ in PROCESS_TYPES if known == code), None)
    return folder not in job_folders() or (code is not None and 50 <= code < 99)
