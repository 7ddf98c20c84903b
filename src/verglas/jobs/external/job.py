"""External: a program of the user's own as a job of the project (pipeline.md §4.23)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from verglas.jobs.contract.base import Job, JobAborted, JobFailed, JobType, NothingToDo
from verglas.jobs.contract.control_files import EXIT_FAILURE
from verglas.jobs.contract.nodes import Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.external.options import INPUTS, PARAMETERS, ExternalOptions

POLL_S = 0.5
GRACE_S = 10.0  # between asking the program to end and ending it
_EXTRA = (
    Flag("--o", "", "Job directory, which the program receives", required=True),
    Flag("--exe", "", "The program", required=True),
    Flag("--other_args", "", "Text appended to the program's command line"),
)


class External(Job):
    """Runs the program in the project's directory; its exit code is the job's."""

    # in place: what the program says of its outputs names the job's own directory
    type: ClassVar[JobType] = JobType("External", "relion.external", 99, "External", incremental=True)
    Options = ExternalOptions
    program: ClassVar[Program] = Program.of(
        "external", ExternalOptions, _EXTRA, summary="run a program of your own as a job"
    )

    @classmethod
    def expected_outputs(cls, options: ExternalOptions, directory: str) -> list[Node]:
        return []

    @classmethod
    def command_line(cls, options: ExternalOptions, directory: str, is_continue: bool) -> list[str]:
        extra = ["--other_args", options.other_args] if options.other_args else []
        return [*cls.output_flags(options, directory, is_continue), *options.command_line(), *extra]

    @classmethod
    def check(cls, options: ExternalOptions) -> list[str]:
        return [] if options.fn_exe else ["External executable: is empty"]

    def words(self) -> list[str]:
        """The command: program, job directory, inputs, parameters, threads, other arguments."""
        flags = self.arguments
        words = [flags["--exe"], "--o", flags["--o"]]
        for flag in INPUTS.values():
            if flags[flag]:
                words += [flag, flags[flag]]
        for number in PARAMETERS:
            label, value = flags[f"--param{number}_label"], flags[f"--param{number}_value"]
            if label:
                words += [f"--{label.removeprefix('--')}", *([value] if value else [])]
        return [*words, "--j", str(flags["--j"]), *shlex.split(flags["--other_args"])]

    def run(self) -> None:
        for flag in INPUTS.values():
            name = self.arguments[flag]
            if name and not Path(name).exists():
                raise NothingToDo(f"{name} does not exist yet")
        words = self.words()
        found = shutil.which(words[0]) or shutil.which(os.path.join(".", words[0]))
        if found is None:
            raise JobFailed(f"the program {words[0]} is not there, or may not be executed")
        self.context.say(f" {shlex.join(words)}")
        failure = self.context.directory / EXIT_FAILURE
        failure.unlink(missing_ok=True)
        process = subprocess.Popen([found, *words[1:]], stdin=subprocess.DEVNULL)
        code = self._wait(process)
        if code or failure.exists():
            how = f"ended with code {code}" if code else f"wrote {EXIT_FAILURE}"
            raise JobFailed(f"{words[0]} {how}; its words are above and in run.err")

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit code; it is ended when somebody asks for the job to stop."""
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                try:
                    self.context.check_abort()
                except JobAborted:
                    _end(process)
                    raise


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
