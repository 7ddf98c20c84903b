"""Running a Scheme: from node to node, operators here, jobs as processes of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verglas.jobs.contract.control_files import ABORT_NOW, JOB_STAR
from verglas.project.dialect import Status
from verglas.project.job_star import read_job_star
from verglas.project.names import owner_of
from verglas.project.project import Project
from verglas.project.registration import check_options, class_for, enter, refuse_running
from verglas.scheduler.events import record_event
from verglas.scheduler.launch import Launched, abort, launch, wait_for
from verglas.scheduler.schemes.operators import Values, perform
from verglas.scheduler.schemes.scheme_file import (
    UNDEFINED,
    Operator,
    Scheme,
    SchemeJob,
    read_scheme,
    scheme_bytes,
    write_scheme,
)
from verglas.scheduler.schemes.scheme_lock import scheme_lock

BEGUN = ".verglas_begun"
_GOES_ON = (Status.SCHEDULED, Status.SUCCEEDED)
MISSING_INPUT_TRIES, MISSING_INPUT_S = 4, 10.0
POLL_S = 0.2
_VARIABLE = re.compile(r"\$\$(\S+)")
_TEMPLATE = re.compile(r"(Schemes|Schedules)/([^/\s]+)/([^/\s]+)/")


class SchemeStopped(Exception):
    """The Scheme ended before its last node; the message says why."""


class SchemeRunner:
    """One Scheme at work. Its state is on disc after every node, so `run` also continues."""

    def __init__(self, project: Project, name: str, say: Callable[[str], None] = lambda text: None) -> None:
        self.project, self.say = project, say
        self.folder = scheme_folder(project, name)
        self.path = scheme_path(self.folder)
        self.begun_file = self.folder / BEGUN  # the job that the runner began at its present node
        self.scheme: Scheme = read_scheme(self.path)
        self._wait_mark: float | None = None
        self._end_s: float | None = None

    def run(self) -> None:
        """Go from the current node to an end.

        Raises SchemeStopped, SchemeTaken, OperatorFailed, ForeignJob.
        """
        with scheme_lock(self.project.root, self.scheme.short_name):
            try:
                (self.folder / ABORT_NOW).unlink(missing_ok=True)
                self._walk()
            except Exception as error:
                self._mail(f"{self.scheme.name} stopped: {error}")
                record_event(self.project.root, "scheme-stopped", str(error), scheme=self.scheme.name)
                raise
            finally:
                write_scheme(self.path, self.scheme)
        self._mail(f"{self.scheme.name} has finished")
        record_event(self.project.root, "scheme-ended", "", scheme=self.scheme.name)

    def _walk(self) -> None:
        if self.scheme.current in (UNDEFINED, ""):
            self._step_to(self.scheme.first_node)
        node: str | None = self.scheme.current
        while node is not None:
            self._check_abort()
            if node in self.scheme.operators:
                self.say(f"operator {node}")
                if not self._operate(self.scheme.operators[node]):
                    return
            elif node in self.scheme.jobs:
                self._job(node, self.scheme.jobs[node])
            else:
                raise SchemeStopped(f"{node} is neither an operator nor a job of {self.scheme.name}")
            node = self.scheme.next_node(node)
            if node is not None:
                self._step_to(node)
        self.begun_file.unlink(missing_ok=True)

    def _step_to(self, node: str) -> None:
        """The runner is at a node; what the one before it began is done."""
        self.scheme.current = node
        with self.project.change(f"{self.scheme.name} is at {node}") as change:
            change.write(self._relative(self.path), scheme_bytes(self.scheme))
            if self.begun_file.exists():
                change.remove(self._relative(self.begun_file))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.project.root))

    def _operate(self, operator: Operator) -> bool:
        """Carry out one operator; False ends the Scheme."""
        values = Values(self.scheme)
        if operator.type == "exit":
            return False
        if operator.type == "exit_maxtime":
            if self._end_s is None:
                self._end_s = time.monotonic() + 3600 * values.number(operator.input1)
            return time.monotonic() < self._end_s
        if operator.type == "wait":
            self._wait(operator, values.number(operator.input1))
        elif operator.type == "email":
            inputs = (operator.input1, operator.input2)
            shown = [f"{name} = {values.shown(name)}" for name in inputs if name != UNDEFINED]
            self._mail("; ".join(shown))
        else:
            perform(self.scheme, operator)
        return True

    def _wait(self, operator: Operator, seconds: float) -> None:
        """Until so long after the previous wait; the first one only marks the time."""
        now = time.monotonic()
        if self._wait_mark is not None:
            while (now := time.monotonic()) - self._wait_mark < seconds:
                self._check_abort()
                time.sleep(min(POLL_S, max(0.0, seconds - (now - self._wait_mark))))
            if operator.output in self.scheme.floats:
                Values(self.scheme).set_number(operator.output, now - self._wait_mark)
        self._wait_mark = time.monotonic()

    def _job(self, original: str, job: SchemeJob) -> None:
        begun = self._begun(job)
        if begun is Status.SUCCEEDED:
            self.say(f"job {original}: {job.name} had ended already")
            job.has_started = True
            return
        name = job.name
        if begun is Status.RUNNING:
            self.say(f"job {job.name} is running already")
            launched = Launched(name, None)
        else:
            if begun is not Status.SCHEDULED:
                name = self._registered(original, job)
            self._wait_for_inputs(name)
            launched = launch(self.project, name)
        if not job.has_started:
            job.has_started = True
            write_scheme(self.path, self.scheme)
        status = self._wait_for(launched)
        if status is Status.SUCCEEDED:
            return
        outcome = self.project.directory(name).outcome()
        if status is Status.SCHEDULED:  # nothing to do yet: not a failure
            self.say(f"  waiting: {outcome.reason if outcome else ''}")
            return
        raise SchemeStopped(f"{name} {status.label.lower()}: {outcome.reason if outcome else ''}")

    def _begun(self, job: SchemeJob) -> Status | None:
        """How far the job of this node is that a runner began which was killed since.

        Jobs outlive their runners. One that ended badly is begun anew: None.
        """
        process = self.project.graph().processes.get(job.name)
        if process is None:
            return None
        begun_here = self.begun_file.exists() and self.begun_file.read_text() == job.name
        if process.status is Status.RUNNING or (begun_here and process.status in _GOES_ON):
            return process.status
        return None

    def _registered(self, original: str, job: SchemeJob) -> str:
        """The pipeline's job for this one: a new one, or the present one to be continued."""
        template = self.folder / original / JOB_STAR
        settings = read_job_star(template)
        kind = class_for(settings.type_text)
        texts = {key: self._filled(text) for key, text in settings.options.items()}
        options, _ = kind.Options.parse(texts)
        go_on = job.mode == "continue" and job.has_started
        known = job.name if go_on else None
        check_options(kind, options)
        with self.project.change(f"{original} of {self.scheme.name}") as change:
            refuse_running(change, known)
            job.name = enter(change, kind, options, name=known, is_continue=go_on)
            change.write(self._relative(self.path), scheme_bytes(self.scheme))
            change.write(self._relative(self.begun_file), job.name.encode())
        self.say(f"job {original}: {job.name}{' (continue)' if go_on else ''}")
        return job.name

    def _filled(self, text: str) -> str:
        """`$$variables` by their values, template jobs by the pipeline's jobs, of other Schemes too."""
        text = _VARIABLE.sub(lambda found: self._value(found[1]), text)
        return _TEMPLATE.sub(self._current_job, text)

    def _value(self, name: str) -> str:
        if name in self.scheme.bools:
            return "Yes" if self.scheme.bools[name].value == "1" else "No"
        if name in self.scheme.floats:
            return f"{Values(self.scheme).number(name):.10g}"
        if name in self.scheme.strings:
            return self.scheme.strings[name].value
        raise SchemeStopped(f"$${name} is not a variable of {self.scheme.name}")

    def _current_job(self, found: re.Match[str]) -> str:
        _, scheme_name, job_name = found.groups()
        if scheme_name == self.scheme.short_name:
            scheme = self.scheme
        else:
            scheme = read_scheme(scheme_path(scheme_folder(self.project, scheme_name)))
        job = scheme.jobs.get(job_name)
        return job.name if job and owner_of(job.name) else found[0]

    def _wait_for_inputs(self, name: str) -> None:
        for _ in range(MISSING_INPUT_TRIES):
            inputs = self.project.graph().inputs_of(name)
            missing = [node for node in inputs if not self.project.exists(node)]
            if not missing:
                return
            self.say(f"  waiting for {missing[0]}")
            end = time.monotonic() + MISSING_INPUT_S
            while time.monotonic() < end:
                self._check_abort()
                time.sleep(min(POLL_S, MISSING_INPUT_S))
        raise SchemeStopped(f"{name} needs {missing[0]}, which does not exist")

    def _wait_for(self, launched: Launched) -> Status:
        while True:
            status = wait_for(self.project, launched, POLL_S)
            if status is not None:
                return status
            if (self.folder / ABORT_NOW).exists():
                abort(self.project, launched.name)

    def _check_abort(self) -> None:
        if (self.folder / ABORT_NOW).exists():
            raise SchemeStopped("it was aborted")

    def _mail(self, text: str) -> None:
        """To the address in the string variable `email`, if there is one, by the system's `mail`."""
        address = self.scheme.strings.get("email")
        if address is None or not address.value or shutil.which("mail") is None:
            return
        words = ["mail", "-s", f"Scheme: {self.scheme.name}", address.value]
        subprocess.run(words, input=text, text=True, timeout=60, capture_output=True)


def scheme_folder(project: Project, name: str) -> Path:
    """`Schemes/<name>` (3.1: `Schedules/<name>`). Raises FileNotFoundError naming those there are."""
    short = name.rstrip("/").rsplit("/", 1)[-1]
    for parent in ("Schemes", "Schedules"):
        if (project.root / parent / short).is_dir():
            return project.root / parent / short
    known = ", ".join(each.parent.name for each in project.root.glob("Sche*s/*/sche*.star")) or "none"
    raise FileNotFoundError(f"there is no scheme {short!r}; there are: {known}")


def scheme_path(folder: Path) -> Path:
    """scheme.star, or schedule.star of 3.1."""
    old = folder / "schedule.star"
    return old if old.exists() else folder / "scheme.star"


def reset_scheme(project: Project, name: str) -> None:
    """Back to its first node with its reset values."""
    path = scheme_path(scheme_folder(project, name))
    scheme = read_scheme(path)
    scheme.reset()
    write_scheme(path, scheme)


def abort_scheme(project: Project, name: str) -> None:
    """Ask a running Scheme, and the job it is at, to stop."""
    folder = scheme_folder(project, name)
    scheme = read_scheme(scheme_path(folder))
    (folder / ABORT_NOW).touch()
    job = scheme.jobs.get(scheme.current)
    if job is not None and job.has_started:
        abort(project, job.name)


def set_variable(project: Project, name: str, variable: str, value: str) -> None:
    """Set a variable's present value. Raises KeyError for one that does not exist."""
    path = scheme_path(scheme_folder(project, name))
    scheme = read_scheme(path)
    for group in (scheme.floats, scheme.bools, scheme.strings):
        if variable in group:
            group[variable] = replace(group[variable], value=value)
            write_scheme(path, scheme)
            return
    raise KeyError(f"{scheme.name} has no variable {variable!r}")
