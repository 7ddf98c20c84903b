"""Programs: `verglas motioncorr --i ... --o ...` with the flags RELION users know."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from verglas.cli.arguments import complain, in_words
from verglas.compute.progress import MouseProgress
from verglas.jobs.contract.base import Job, JobAborted, JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.control_files import (
    ABORTED,
    EXIT_ABORTED,
    EXIT_FAILURE,
    EXIT_SUCCESS,
    FAILED,
    SUCCEEDED,
    WAITING,
)
from verglas.jobs.contract.program import Arguments, UsageError
from verglas.jobs.registry import PROGRAMS, job_class

CONTROL = "--pipeline_control"
_EXIT_FILES = {SUCCEEDED: EXIT_SUCCESS, FAILED: EXIT_FAILURE, ABORTED: EXIT_ABORTED}


def run_program(name: str, words: Sequence[str]) -> int:
    """Parse the flags and do the work; returns the exit code (3: there is no input yet)."""
    kind = job_class(PROGRAMS[name])
    if "--help" in words or "-h" in words:
        print(kind.program.help_text())
        return SUCCEEDED
    try:
        words, control = _take_control(list(words))
        arguments = kind.program.parse(words)
    except UsageError as error:
        return complain(name, error)
    for warning in arguments.warnings:
        print(f" WARNING: {warning}", file=sys.stderr)
    code = _attempt(kind, arguments, control)
    if control is not None and code in _EXIT_FILES:
        control.mkdir(parents=True, exist_ok=True)
        (control / _EXIT_FILES[code]).touch()
    return code


def _take_control(words: list[str]) -> tuple[list[str], Path | None]:
    """`--pipeline_control DIR`: where exit files go and the abort file is looked for."""
    if CONTROL not in words:
        return words, None
    place = words.index(CONTROL)
    if place + 1 >= len(words):
        raise UsageError(f"{CONTROL} needs a value")
    return words[:place] + words[place + 2 :], Path(words[place + 1])


def _attempt(kind: type[Job], arguments: Arguments, control: Path | None) -> int:
    directory = _output_directory(arguments)
    context = RunContext(directory, control=control, progress=MouseProgress(), warn=_warn)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        kind(arguments, context).run()
    except NothingToDo as reason:
        print(f" Nothing to do yet: {reason}")
        return WAITING
    except (JobAborted, KeyboardInterrupt) as reason:
        _warn(f" {reason}\n exiting with an abort ...")
        return ABORTED
    except (JobFailed, ValueError, OSError) as error:
        _warn(f" ERROR: {in_words(error)}\n exiting with an error ...")
        return FAILED
    except Exception:
        traceback.print_exc()
        return FAILED
    return SUCCEEDED


def _output_directory(arguments: Arguments) -> Path:
    """The folder of --odir, --part_dir or --o; `--o Class2D/job006/run` is a root inside its folder."""
    for flag in ("--odir", "--part_dir", "--o"):
        text = str(arguments.get(flag, ""))
        if text:
            return Path(text) if flag != "--o" or text.endswith("/") else Path(text).parent
    return Path()


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
