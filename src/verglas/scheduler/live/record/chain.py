"""The chain of jobs that a live session feeds: registered once, as the scheduled way registers them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verglas.jobs.chain import CLASSES, FOLDERS, LISTS, STAGES, inputs_in_chain
from verglas.jobs.contract.options import JobOptions
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.registry import job_class
from verglas.project.change import Change
from verglas.project.dialect import Status
from verglas.project.job_directory import RunRecord
from verglas.project.owner import Owner
from verglas.project.project import Project
from verglas.project.registration import check_options, enter, load_job
from verglas.scheduler.command import command_text, program_words


def enter_chain(
    change: Change, options: Mapping[str, Mapping[str, str]], manual_file: str, *, classes: bool
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Enter Import ... Extract (and Class2D); folder -> job name, and the stages' options as texts.

    `options` holds texts by folder and key; inputs are filled in here. Raises OptionError, RefusedJob.
    """
    jobs: dict[str, str] = {}
    of_stages: dict[str, dict[str, str]] = {}
    for folder in (*FOLDERS, *((CLASSES,) if classes else ())):
        job = job_class(folder)
        texts = {**inputs_in_chain(folder, jobs, manual_file), **options.get(folder, {})}
        parsed, _ = job.Options.parse(texts)
        check_options(job, parsed)
        jobs[folder] = enter(change, job, parsed)
        if folder in STAGES:
            of_stages[folder] = dict(parsed.texts())
    return jobs, of_stages


def hold(project: Project, jobs: Mapping[str, str]) -> None:
    """Enter this process as the one that runs the chain's jobs."""
    with project.change("live session: Running") as change:
        for name in (jobs[folder] for folder in FOLDERS):
            if name in change.graph.processes:
                known = project.directory(name).record()
                attempt = known.attempt + 1 if known else 1
                change.begin(name)
                change.hand_to(name, RunRecord(Owner.this_process(), attempt=attempt, begun=True))


def note_execution(project: Project, jobs: Mapping[str, str]) -> None:
    """note.txt of each job: the command that does the same for what is there."""
    with project.change("note of a live session") as change:
        for folder in FOLDERS:
            loaded = load_job(project, jobs[folder])
            words = program_words(loaded.job, loaded.options, jobs[folder], loaded.is_continue)
            change.note(jobs[folder], [command_text(loaded.job, words)])


def release(project: Project, jobs: Mapping[str, str]) -> None:
    """The lists are complete for now: the jobs are finished, anybody may go on with them."""
    with project.change("live session ends") as change:
        for folder in FOLDERS:
            if jobs[folder] not in change.graph.processes:
                continue
            if has_list(project.root, jobs, folder):
                change.end(jobs[folder], Status.SUCCEEDED)
            else:
                change.graph.set_status(jobs[folder], Status.SCHEDULED)


def checked_options(folder: str, texts: Mapping[str, str]) -> JobOptions:
    """Options of a job type from texts. Raises OptionError, KeyError for an unknown key."""
    job = job_class(folder)
    unknown = [key for key in texts if key not in job.Options.model_fields]
    if unknown:
        raise UnknownName(f"{job.type.title} has no option {', '.join(unknown)}")
    return job.Options.parse(texts)[0]


def has_list(root: Path, jobs: Mapping[str, str], folder: str) -> bool:
    return (root / jobs[folder] / LISTS[folder]).exists()
