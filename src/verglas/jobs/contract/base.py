"""The job contract: what every job type gives and what it may rely on.

Two faces. From *options* (the form): expected outputs, input nodes, the command line; nothing is read
from disc, which is what makes scheduling possible. From *arguments* (the parsed command line): the
work. `verglas run JOBDIR` takes the first to the second; a program called by hand starts at the second.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from verglas.compute.progress import Progress, SilentProgress
from verglas.jobs.contract.control_files import ABORT_NOW, EXIT_ABORTED, EXIT_FAILURE, EXIT_SUCCESS
from verglas.jobs.contract.job_type import JobType
from verglas.jobs.contract.nodes import Node
from verglas.jobs.contract.options import OptionsClass
from verglas.jobs.contract.program import Arguments, Program

__all__ = [
    "ABORT_NOW",
    "EXIT_ABORTED",
    "EXIT_FAILURE",
    "EXIT_SUCCESS",
    "Job",
    "JobAborted",
    "JobFailed",
    "JobType",
    "NothingToDo",
    "RunContext",
]


class JobFailed(Exception):
    """The job cannot do its work; the message says which item, which value, what was expected."""


class JobAborted(Exception):
    """Somebody asked for the job to stop (the abort file appeared)."""


class NothingToDo(Exception):
    """The job has no input yet: not a failure. The message says what it waits for."""


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass
class RunContext:
    """What a running job may use. Paths are relative to the project root, which is the cwd."""

    directory: Path  # where results go: "MotionCorr/job002"; by hand, where --o points
    control: Path | None = None  # where the abort file is looked for, if not in `directory`
    progress: Progress = field(default_factory=SilentProgress)
    say: Callable[[str], None] = print  # one line into run.out
    warn: Callable[[str], None] = print  # one line into run.err
    devices: Sequence[str] = ("cpu",)
    workers: int = 1
    isolate: bool = False  # items are processed outside this process, even by a single worker
    executor: Executor | None = None  # over MPI ranks, for jobs that work item by item
    rank: int = 0
    n_ranks: int = 1
    memory_bytes: int | None = None
    gate: Callable[[], None] | None = None  # waits while work should pause (a full disc)

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker process: everything but the main process's own outputs."""
        sent = {"progress": SilentProgress(), "say": print, "warn": _warn, "executor": None, "gate": None}
        return {**self.__dict__, **sent}

    def check_abort(self) -> None:
        """Raise JobAborted if the abort file is there; call between items and iterations."""
        request = (self.control or self.directory) / ABORT_NOW
        if request.exists():
            raise JobAborted(f"{request} was found")
        if self.gate is not None:
            self.gate()


class Job(ABC):
    """One job type. Subclasses set the class variables and implement the two faces.

    The classmethods take the type's own Options class; subclasses say so in their signatures.
    """

    type: ClassVar[JobType]
    Options: ClassVar[OptionsClass]
    program: ClassVar[Program]
    over_ranks: ClassVar[Literal["alone", "items", "together"]] = "alone"
    """Under MPI: only rank 0 works; it deals out items to the others; or all call `run()`."""

    def __init__(self, arguments: Arguments, context: RunContext) -> None:
        self.arguments = arguments
        self.context = context

    @classmethod
    @abstractmethod
    def expected_outputs(cls, options: Any, directory: str) -> list[Node]:
        """Output nodes by name, from the options alone. `directory` ends with a slash."""

    @classmethod
    def output_flags(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        """Flags that name the job directory or say that the job goes on (RELION's spelling)."""
        return ["--o", directory]

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        """The complete flags, as note.txt shows them and `program` parses them."""
        extra = getattr(options, "other_args", "").split()
        flags = cls.output_flags(options, directory, is_continue)
        return [*flags, *options.command_line(), *extra]

    @classmethod
    def check(cls, options: Any) -> list[str]:
        """Complaints that make Run and Schedule refuse (empty inputs, exclusive choices)."""
        return []

    @classmethod
    def is_interactive(cls, options: Any) -> bool:
        """Whether a person does the work with these options: a repeat never overwrites it."""
        return cls.type.interactive

    @classmethod
    def goes_on_in_place(cls, options: Any) -> bool:
        """Whether a repeat continues the result that lies in its directory, and replaces files one by one."""
        return False

    @classmethod
    def least_inputs(cls, options: Any) -> int:
        """Rows of the input list below which a job that starts from scratch waits for more."""
        return max(int(getattr(options, "min_inputs", 0)), int(getattr(options, "nr_classes", 1)), 1)

    @classmethod
    def actual_outputs(cls, options: Any, directory: str) -> list[Node]:
        """Output nodes known only after a success (RELION_OUTPUT_NODES.star); usually none."""
        return []

    @classmethod
    def outside_files(cls, options: Any) -> list[str]:
        """Names or wildcards that lie outside the project and that a person named in the options."""
        return []

    @abstractmethod
    def run(self) -> None:
        """Do the work. Raises JobFailed, JobAborted or NothingToDo; returns on success."""
