"""The chain of jobs that a live session feeds: registered once, as the scheduled way registers them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verglas.jobs.chain import CLASSES, FOLDERS, LISTS, STAGES, inputs_in_chain
from verglas.jobs.contract.options import JobOptions
from verglas.jobs.registry import job_class
from verglas.project.dialect import Status
from verglas.project.editing import edit
from verglas.project.job_directory import RunRecord
from verglas.project.job_star import read_settings
from verglas.project.note import append_execution
from verglas.project.owner import Owner
from verglas.project.project import Project
from verglas.project.registration import load_job, register
from verglas.scheduler.command import command_text, program_words


def register_chain(
    project: Project, options: Mapping[str, Mapping[str, str]], manual_file: str, *, classes: bool
) -> dict[str, str]:
    """Register Import ... Extract (and Class2D); folder -> job name.

    `options` holds texts by folder and key; inputs are filled in here.
    """
    jobs: dict[str, str] = {}
    for folder in (*FOLDERS, *((CLASSES,) if classes else ())):
        job = job_class(folder)
        texts = {**inputs_in_chain(folder, jobs, manual_file), **options.get(folder, {})}
        parsed, _ = job.Options.parse(texts)
        jobs[folder] = register(project, job, parsed, status=Status.SCHEDULED)
    return jobs


def stage_options(project: Project, jobs: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The options of the four stages as their job.star has them."""
    return {stage: dict(read_settings(project.root / jobs[stage]).options) for stage in STAGES}


def hold(project: Project, jobs: Mapping[str, str]) -> None:
    """Enter this process as the one that runs the chain's jobs."""
    names = [jobs[folder] for folder in FOLDERS]
    for name in names:
        directory = project.directory(name)
        directory.clear_exit()
        known = directory.record()
        attempt = known.attempt + 1 if known else 1
        directory.write_record(RunRecord(Owner.this_process(), attempt=attempt))
    _set_all(project, names, Status.RUNNING)


def note_execution(project: Project, jobs: Mapping[str, str]) -> None:
    """note.txt of each job: the command that does the same for what is there."""
    for folder in FOLDERS:
        loaded = load_job(project, jobs[folder])
        words = program_words(loaded.job, loaded.options, jobs[folder], loaded.is_continue)
        append_execution(project.root / jobs[folder], [command_text(loaded.job, words)])


def release(project: Project, jobs: Mapping[str, str]) -> None:
    """The lists are complete for now: the jobs are finished, anybody may go on with them."""
    done = []
    for folder in FOLDERS:
        name = jobs[folder]
        if (project.root / name / LISTS[folder]).exists():
            project.directory(name).write_exit(Status.SUCCEEDED)
            done.append(name)
    waiting = [jobs[folder] for folder in FOLDERS if jobs[folder] not in done]
    _set_all(project, done, Status.SUCCEEDED)
    _set_all(project, waiting, Status.SCHEDULED)


def change_options(project: Project, name: str, values: Mapping[str, str]) -> None:
    """New settings of a running job, so that whoever takes over goes on with them."""
    edit(project, name, values)


def checked_options(folder: str, texts: Mapping[str, str]) -> JobOptions:
    """Options of a job type from texts. Raises OptionError, KeyError for an unknown key."""
    job = job_class(folder)
    unknown = [key for key in texts if key not in job.Options.model_fields]
    if unknown:
        raise KeyError(f"{job.type.title} has no option {', '.join(unknown)}")
    return job.Options.parse(texts)[0]


def _set_all(project: Project, names: list[str], status: Status) -> None:
    with project.change(f"live session: {status.label}") as graph:
        for name in names:
            if name in graph.processes:
                graph.set_status(name, status)


def has_list(root: Path, jobs: Mapping[str, str], folder: str) -> bool:
    return (root / jobs[folder] / LISTS[folder]).exists()
