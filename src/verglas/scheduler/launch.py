"""Starting jobs as processes of their own, and stopping them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from verglas.jobs.contract.control_files import RUN_ERR, RUN_OUT
from verglas.project.change import Change
from verglas.project.completion import check_completion
from verglas.project.dialect import Status
from verglas.project.job_directory import JobDirectory, JobOutcome, RunRecord
from verglas.project.leftovers import OLD_S, sweep
from verglas.project.owner import Owner
from verglas.project.project import Project
from verglas.project.registration import LoadedJob, RefusedJob, check_options, enter, load_job, refuse_running
from verglas.project.rounds import adopt_result
from verglas.scheduler.child import start_child
from verglas.scheduler.command import (
    ATTEMPT,
    KEEP_ROUNDS,
    command_text,
    local_words,
    process_environment,
    program_words,
)
from verglas.scheduler.queue import submit
from verglas.scheduler.queue_state import QueueWatcher, cancel

POLL_S = 0.1
_queues = QueueWatcher()


@dataclass(frozen=True)
class Launched:
    """A job that was started; `process` is None for one that a queue runs."""

    name: str
    process: subprocess.Popen[bytes] | None


def launch(project: Project, name: str, *, keep_rounds: int = 0) -> Launched:
    """Start a registered job, detached from this terminal. Raises RefusedJob, ForeignJob, OSError."""
    loaded = load_job(project, name)
    record = _next_record(project.directory(name))
    with project.change(f"start {name}") as change:
        refuse_running(change, name)
        _begin(change, loaded, record)
    return _start(project, loaded, record, keep_rounds)


def launch_as(
    project: Project, asked: LoadedJob, beside: Callable[[Change, str], None] | None = None
) -> Launched:
    """Enter a new job, or new settings of one, and start it: one change. Raises as `register`, `launch`.

    `beside` adds to the change what belongs to the job, whose name it is told.
    """
    name, kind = asked.name, asked.job
    check_options(kind, asked.options)
    record = _next_record(project.directory(name)) if name else RunRecord(Owner.this_process())
    with project.change(f"start {name or kind.type.folder}") as change:
        refuse_running(change, name)
        name = enter(change, kind, asked.options, name=name or None, is_continue=asked.is_continue)
        entered = replace(asked, name=name)
        if beside is not None:
            beside(change, name)
        _begin(change, entered, record)
    return _start(project, entered, record)


def wait_for(project: Project, launched: Launched, timeout_s: float | None = None) -> Status | None:
    """Wait until the job ended; its status, or None if the time ran out first."""
    begin = time.monotonic()
    while timeout_s is None or time.monotonic() - begin < timeout_s:
        if launched.process is None or launched.process.poll() is not None:
            check_completion(project, _queues.in_queue)
            status = project.graph().processes[launched.name].status
            if status is not Status.RUNNING:
                return status
        time.sleep(POLL_S)
    return None


def abort(project: Project, name: str) -> bool:
    """Ask a running job to stop; it looks between items and iterations. False if it does not run.

    One that waits in a queue, where it looks at nothing, is taken out of the queue.
    """
    directory = project.directory(name)
    if project.graph().processes[name].status is not Status.RUNNING:
        return False
    directory.request_abort()
    record = directory.record()
    in_queue = record is not None and record.queue_id and not record.begun
    if record is not None and in_queue and cancel(record):
        with project.change(f"{name} leaves the queue") as change:
            change.end(name, Status.ABORTED, JobOutcome("aborted", "taken out of the queue"))
    return True


def terminate(project: Project, name: str) -> None:
    """Tell the job's process group on this machine to end now."""
    record = project.directory(name).record()
    if record and record.owner.is_alive():
        os.killpg(os.getpgid(record.owner.pid), signal.SIGTERM)


def _next_record(directory: JobDirectory) -> RunRecord:
    """The record of the job's next start; what its last one left unfinished goes."""
    known, ended = directory.record(), directory.outcome()
    if known is None or known.begun:  # a start that never came up has made nothing
        adopt_result(directory.path)
    died = known is not None and (ended is None or ended.kind == "killed")
    sweep(directory.path, below=died, old_s=0.0 if died else OLD_S)
    return RunRecord(Owner.this_process(), attempt=known.attempt + 1 if known else 1)


def _begin(change: Change, loaded: LoadedJob, record: RunRecord) -> None:
    """All that is written before the process exists: a kill from here on is one of the job."""
    change.begin(loaded.name)
    change.hand_to(loaded.name, record)
    words = program_words(loaded.job, loaded.options, loaded.name, loaded.is_continue)
    change.note(loaded.name, [command_text(loaded.job, words)])
    change.back_up_in(loaded.name)


def _start(project: Project, loaded: LoadedJob, record: RunRecord, keep_rounds: int = 0) -> Launched:
    name, process = loaded.name, None
    environment = {**process_environment(), ATTEMPT: str(record.attempt)}
    if keep_rounds:
        environment[KEEP_ROUNDS] = str(keep_rounds)
    try:
        if getattr(loaded.options, "do_queue", False):
            submit(project, loaded)
        else:
            process = _process(project.root, loaded, environment)
            _hand_over(project.directory(name), record, process.pid)
    except (OSError, RefusedJob) as error:
        with project.change(f"{name} could not be started") as change:
            outcome = JobOutcome("failed", f"could not be started: {error}")
            change.end(name, Status.FAILED, outcome)
        raise
    return Launched(name, process)


def _hand_over(directory: JobDirectory, record: RunRecord, pid: int) -> None:
    """From now on the record stands and falls with the new process, not with who started it.

    The job's process writes itself in as soon as it is up; until then it may be killed, or may not come
    up at all, and whoever started it may end.
    """
    now = directory.record()
    if now is not None and not now.begun:
        directory.write_record(replace(record, owner=Owner.of_pid(pid)))


def _process(root: Path, loaded: LoadedJob, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    folder = root / loaded.name
    with open(folder / RUN_OUT, "ab") as out, open(folder / RUN_ERR, "ab") as err:
        words = local_words(loaded.job, loaded.options, loaded.name)
        return start_child(words, root, out, err, environment)
