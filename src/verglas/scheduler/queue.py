"""Batch queues: RELION's template scripts and their XXXvarXXX placeholders (pipeline.md §6.3)."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.contract.control_files import RUN_ERR, RUN_OUT, SUBMIT_SCRIPT
from verglas.jobs.contract.options import JobOptions
from verglas.project.job_directory import RunRecord
from verglas.project.owner import Owner
from verglas.project.project import Project
from verglas.project.registration import LoadedJob, RefusedJob
from verglas.scheduler.command import run_words

COMMAND = "XXXcommandXXX"
SUBMIT_TIMEOUT_S = 120
_JOB_ID = re.compile(r"\b(\d+(?:[.\[][\w.\-\]]*)?)")


class QueueRefused(OSError):
    """The submit command failed; the message holds what it said."""


def fill_template(template: str, options: JobOptions, name: str, commands: list[str]) -> str:
    """The submission script: every placeholder of every line; XXXcommandXXX once per command."""
    values = placeholders(options, name)
    lines = []
    for line in template.splitlines():
        for key, value in values.items():
            line = line.replace(key, value)
        if COMMAND in line:
            lines += [line.replace(COMMAND, command) for command in commands]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def placeholders(options: JobOptions, name: str) -> dict[str, str]:
    """What each placeholder stands for."""
    ranks, threads = int(getattr(options, "nr_mpi", 1)), int(getattr(options, "nr_threads", 1))
    dedicated = int(getattr(options, "min_dedicated", 1))
    cores = ranks * threads
    values = {
        "XXXmpinodesXXX": ranks,
        "XXXthreadsXXX": threads,
        "XXXcoresXXX": cores,
        "XXXdedicatedXXX": dedicated,
        "XXXnodesXXX": math.ceil(cores / max(1, dedicated)),
        "XXXnameXXX": name,
        "XXXerrfileXXX": name + RUN_ERR,
        "XXXoutfileXXX": name + RUN_OUT,
        "XXXqueueXXX": getattr(options, "queuename", ""),
    }
    for index in range(1, int(os.environ.get("RELION_QSUB_EXTRA_COUNT", "2")) + 1):
        values[f"XXXextra{index}XXX"] = getattr(options, f"qsub_extra{index}", "")
    return {key: str(value) for key, value in values.items()}


def write_submit_script(project: Project, loaded: LoadedJob) -> Path:
    """Fill the job's template. Raises RefusedJob if the template is not there."""
    template = Path(str(getattr(loaded.options, "qsubscript", "")))
    path = template if template.is_absolute() else project.root / template
    if not str(template) or not path.is_file():
        raise RefusedJob(f"the submission script template {str(template)!r} does not exist")
    script = project.root / loaded.name / SUBMIT_SCRIPT
    command = shlex.join(run_words(loaded.name))
    write_text(script, fill_template(path.read_text(), loaded.options, loaded.name, [command]))
    return script


def submit(project: Project, loaded: LoadedJob) -> str:
    """Hand the job to the queue and remember the queue's number of it. Raises QueueRefused."""
    script = write_submit_script(project, loaded)
    command = [*shlex.split(getattr(loaded.options, "qsub", "qsub")), str(script)]
    try:
        done = subprocess.run(
            command, cwd=project.root, capture_output=True, text=True, timeout=SUBMIT_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise QueueRefused(
            0, f"{command[0]} did not answer for {SUBMIT_TIMEOUT_S} s; see whether it took the job"
        ) from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise QueueRefused(done.returncode, f"{command[0]} refused the job: {words}")
    found = _JOB_ID.search(done.stdout)
    queue_id = found.group(1) if found else "unknown"
    directory = project.directory(loaded.name)
    known = directory.record() or RunRecord(Owner.this_process())
    program = Path(command[0]).name
    directory.write_record(replace(known, queue_id=queue_id, queue_program=program))
    return queue_id
