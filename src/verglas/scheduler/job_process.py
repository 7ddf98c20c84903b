"""`verglas run JOBDIR`: one job, in this process, from its job.star to its exit file.

The working directory is the project root. This is the one boundary of a job: whatever goes wrong inside
ends as a status file, a reason, and an exit code (0 success, 1 failure, 2 aborted, 3 waiting).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from verglas import __version__
from verglas.compute.progress import MouseProgress
from verglas.formats.atomic import is_output_failure
from verglas.formats.star import StarError, StarTable, write_star
from verglas.jobs.contract.base import Job, JobAborted, JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.control_files import (
    ABORTED,
    EXIT_SUCCESS,
    FAILED,
    OUTPUT_NODES,
    RUN_ERR,
    RUN_OUT,
    SUCCEEDED,
    WAITING,
)
from verglas.jobs.contract.options import OptionError
from verglas.jobs.contract.program import UsageError
from verglas.project.completion import Ended, missing_outputs, record_ends
from verglas.project.dialect import Status
from verglas.project.job_directory import RUN_RECORD, UNWRITABLE, JobDirectory, JobOutcome, RunRecord
from verglas.project.lease import renewed
from verglas.project.owner import Owner
from verglas.project.pipeline_file import NODE, NODE_TYPE, NODE_TYPE_LABEL
from verglas.project.project import Project
from verglas.project.registration import ForeignJob, LoadedJob, RefusedJob, load_job, write_settings
from verglas.project.rounds import (
    adopt_result,
    begin_first,
    begin_repeat,
    finish_first,
    finish_repeat,
    present_round,
)
from verglas.scheduler.command import ATTEMPT, KEEP_ROUNDS, command_text, program_words
from verglas.scheduler.disc import DiscGate
from verglas.scheduler.input_lists import read_inputs, record_inputs, wait_for_enough
from verglas.scheduler.rank_process import Ranks, follow_rank
from verglas.scheduler.settings import load_settings


class AlreadyRunning(RuntimeError):
    """Another process works on this job."""


def run_job(project: Project, name: str) -> int:
    """Execute a registered job here; returns its exit code. Raises AlreadyRunning, KeyError.

    stdout and stderr of the process should be the job's run.out and run.err (`redirect_output`).
    Under MPI, rank 0 does this and the other ranks help (`follow_rank`).
    """
    ranks = Ranks.of_world()
    if ranks.rank > 0:
        return follow_rank(ranks, name)
    directory = project.directory(name)
    known = directory.record()
    if known and not known.queue_id and _other_has_it(known, directory.outcome() is None):
        ranks.dismiss(ended_well=False)
        raise AlreadyRunning(f"{name} is being run by {known.owner.shown}")
    if known is None:  # started by hand; `launch` has done this otherwise
        adopt_result(directory.path)
    repeated = present_round(directory.path) is not None
    _claim(project, name, known)
    previous = signal.signal(signal.SIGTERM, _on_terminate)
    try:
        with renewed(directory.path / RUN_RECORD):
            outcome = _attempt(project, name, repeated, ranks)
    finally:
        signal.signal(signal.SIGTERM, previous)
    code = _record_outcome(project, name, outcome)
    ranks.dismiss(ended_well=code == SUCCEEDED)
    return code


def redirect_output(directory: Path) -> None:
    """Append this process's stdout and stderr (descriptors too) to run.out and run.err."""
    for stream, file_name in ((sys.stdout, RUN_OUT), (sys.stderr, RUN_ERR)):
        stream.flush()
        handle = os.open(directory / file_name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        if not os.path.sameopenfile(handle, stream.fileno()):
            os.dup2(handle, stream.fileno())
        os.close(handle)


def _other_has_it(record: RunRecord, unfinished: bool) -> bool:
    """Whether another process of the job is at work or coming up, or the job was started anew after us.

    The latter happens when whoever started us died before it could say so, and was itself replaced.
    Typed by hand, we give way to a process that was started and is not up yet, too.
    """
    attempt = os.environ.pop(ATTEMPT, None)
    if attempt is not None and int(attempt) != record.attempt:
        return True
    at_work = record.begun or (attempt is None and unfinished)
    return at_work and record.owner.pid != os.getpid() and record.owner.is_alive() is True


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise JobAborted("the process was told to terminate (queue limit, shutdown, or a user's kill)")


def _claim(project: Project, name: str, known: RunRecord | None) -> None:
    """Write who runs it, and see that the pipeline says Running."""
    mine = replace(known or RunRecord(Owner.this_process()), owner=Owner.this_process(), begun=True)
    launched = known is not None and not known.begun  # a request to abort it is meant for us
    with project.change(f"{name} begins") as change:
        if not launched:
            change.begin(name)
        change.hand_to(name, mine)


def _attempt(project: Project, name: str, repeated: bool, ranks: Ranks) -> JobOutcome:
    """The boundary: everything the job can do ends as an outcome."""
    try:
        loaded = load_job(project, name)
        for warning in loaded.warnings:
            _warn(f" WARNING: {warning}")
        _execute(project, loaded, repeated, ranks)
    except NothingToDo as reason:
        _say(f" Nothing to do yet: {reason}")
        return JobOutcome("waiting", str(reason))
    except (JobAborted, KeyboardInterrupt) as reason:
        return JobOutcome("aborted", str(reason) or "interrupted from the keyboard")
    except (JobFailed, ForeignJob, RefusedJob, OptionError, UsageError, StarError) as reason:
        return JobOutcome("failed", str(reason))
    except OSError as error:
        kind = UNWRITABLE if is_output_failure(error) else "failed"
        return JobOutcome(kind, _os_error_text(error))
    except Exception as error:
        traceback.print_exc()
        return JobOutcome("failed", f"{type(error).__name__}: {error}")
    return JobOutcome("succeeded")


def _execute(project: Project, loaded: LoadedJob, repeated: bool, ranks: Ranks) -> None:
    """Run the job's work, in place or staged for a change-over."""
    folder, kind = Path(loaded.name), loaded.job.type
    go_on = loaded.is_continue or (kind.incremental and repeated)
    by_hand = loaded.job.is_interactive(loaded.options)
    in_place = (
        kind.incremental or by_hand or loaded.is_continue or loaded.job.goes_on_in_place(loaded.options)
    )
    staged = repeated and not in_place
    if kind.incremental and repeated and not loaded.is_continue:
        with project.change(f"{loaded.name} goes on") as change:
            write_settings(change, loaded.name, loaded.job, loaded.options, True)
    inputs = read_inputs(project.root, loaded.options)
    if not kind.incremental:
        wait_for_enough(loaded.job, loaded.options, inputs)
    record_inputs(folder, inputs)
    for each in inputs:
        _say(f" {each.line}")
    if not repeated:
        begin_first(folder, with_files=not kind.incremental)
    work = begin_repeat(folder) if staged else folder
    target = f"{work}/"
    words = program_words(loaded.job, loaded.options, target, go_on)
    _say(f" verglas {__version__}: {command_text(loaded.job, words)}")
    arguments = loaded.job.program.parse(words)
    for warning in arguments.warnings:
        _warn(f" WARNING: {warning}")
    with ranks.lead(loaded.job, words, str(work)) as executor:
        job = loaded.job(arguments, _context(project.root, loaded, work, folder, ranks, executor))
        job.run()
    _demand_outputs(loaded, target)
    _declare_outputs(project, loaded, job, target)
    if staged:
        finish_repeat(folder, work, loaded.name, keep_rounds=int(os.environ.get(KEEP_ROUNDS, "0")))
    elif not kind.incremental:
        finish_first(folder)
    if loaded.is_continue and not kind.incremental:
        with project.change(f"{loaded.name} went on") as change:  # what comes next is a repeat
            write_settings(change, loaded.name, loaded.job, loaded.options, False)


def _context(
    root: Path, loaded: LoadedJob, work: Path, control: Path, ranks: Ranks, executor: Executor | None
) -> RunContext:
    context = RunContext(
        work,
        control=control,
        progress=MouseProgress(),
        say=_say,
        warn=_warn,
        workers=int(getattr(loaded.options, "nr_mpi", 1)),
        isolate=True,
        executor=executor,
        rank=ranks.rank,
        n_ranks=ranks.size,
    )
    floor_gb = load_settings(root).disc_floor_gb
    context.gate = DiscGate(root, floor_gb, _say, replace(context, gate=None).check_abort).wait
    return context


def _demand_outputs(loaded: LoadedJob, target: str) -> None:
    """What was announced is there: other jobs may be waiting for it. Raises JobFailed."""
    announced = (node.name for node in loaded.job.expected_outputs(loaded.options, target))
    missing = [name for name in announced if not Path(name).exists()]
    if missing:
        raise JobFailed(f"it ended without what it had announced: {', '.join(missing)}")


def _declare_outputs(project: Project, loaded: LoadedJob, job: Job, target: str) -> None:
    """RELION_OUTPUT_NODES.star for outputs that became known only by running."""
    nodes = job.actual_outputs(loaded.options, target)
    if not nodes:
        return
    dialect = project.graph().dialect
    label = NODE_TYPE_LABEL if dialect.has_labels else NODE_TYPE
    columns = {NODE: [node.name for node in nodes], label: [dialect.node_text(node) for node in nodes]}
    table = StarTable.from_columns("output_nodes", columns)
    write_star(Path(target) / OUTPUT_NODES, [table], version=dialect.version)


def _record_outcome(project: Project, name: str, outcome: JobOutcome) -> int:
    """Outcome file, exit file, pipeline: in this order, so that a kill in between is only a delay."""
    directory = project.directory(name)
    with suppress(OSError):  # a full disc must not hide the outcome
        directory.write_outcome(outcome)
    if outcome.kind == "waiting":
        project.set_status(name, Status.SCHEDULED)
        return WAITING
    status, code = {
        "succeeded": (Status.SUCCEEDED, SUCCEEDED),
        "failed": (Status.FAILED, FAILED),
        UNWRITABLE: (Status.FAILED, FAILED),
        "aborted": (Status.ABORTED, ABORTED),
    }[outcome.kind]
    if status is not Status.SUCCEEDED:
        _warn(f" ERROR: {outcome.reason}" if status is Status.FAILED else f" {outcome.reason}")
        _warn(" exiting with an error ..." if status is Status.FAILED else " exiting with an abort ...")
    _write_exit(directory, status)
    messages: tuple[str, ...] = (outcome.reason,) if outcome.reason else ()
    if status is Status.SUCCEEDED:
        missing = missing_outputs(project, project.graph(), name)
        messages = tuple(f"expected output {each} does not exist" for each in missing)
        for message in messages:
            _warn(f" WARNING: {message}")
    record_ends(project, [Ended(name, status, messages)])
    return code


def _write_exit(directory: JobDirectory, status: Status) -> None:
    try:
        directory.write_exit(status)
    except OSError as error:
        _warn(f" ERROR: {EXIT_SUCCESS} or its like cannot be written: {_os_error_text(error)}")
        raise


def _os_error_text(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
