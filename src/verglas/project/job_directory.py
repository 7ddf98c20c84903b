"""One job's directory: exit files, who runs it, what came of it, its last words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.regular import regular
from verglas.jobs.contract.control_files import (
    ABORT_NOW,
    EXIT_ABORTED,
    EXIT_FAILURE,
    EXIT_FILES,
    EXIT_SUCCESS,
    RUN_ERR,
    RUN_OUT,
)
from verglas.project.dialect import Status
from verglas.project.lease import is_at_work
from verglas.project.owner import Owner

RUN_RECORD = ".verglas_run.json"
OUTCOME = ".verglas_outcome.json"
_STATUS_OF_FILE = {EXIT_SUCCESS: Status.SUCCEEDED, EXIT_FAILURE: Status.FAILED, EXIT_ABORTED: Status.ABORTED}
TAIL_BYTES = 4096
UNWRITABLE = "unwritable"  # failed because the disc could not be written: to be done again when it can
JOB_LEASE_S = 300.0  # of a job on another machine that does not renew its record


def exit_file(status: Status) -> str:
    """The exit file that says so."""
    return next(name for name, meaning in _STATUS_OF_FILE.items() if meaning is status)


@dataclass(frozen=True)
class RunRecord:
    """Who runs the job: a process, or a batch queue's job."""

    owner: Owner
    queue_id: str = ""
    queue_program: str = ""  # what submitted it, e.g. sbatch
    attempt: int = 1
    begun: bool = False  # the job's own process has written this

    def as_bytes(self) -> bytes:
        """What the record's file holds."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class JobOutcome:
    """How the last execution ended: `kind` is succeeded, failed, aborted, waiting, killed or UNWRITABLE."""

    kind: str
    reason: str = ""

    def as_bytes(self) -> bytes:
        """What the outcome file holds."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class JobDirectory:
    """Files of one job; `path` is absolute or relative to the working directory."""

    path: Path

    def exit_status(self) -> Status | None:
        """From the exit files, in RELION's order; None while there is none."""
        for name in EXIT_FILES:
            if (self.path / name).exists():
                return _STATUS_OF_FILE[name]
        return None

    def write_exit(self, status: Status) -> None:
        """Leave exactly one exit file."""
        wanted = exit_file(status)
        write_text(self.path / wanted, "")
        for name in EXIT_FILES:
            if name != wanted:
                (self.path / name).unlink(missing_ok=True)

    def request_abort(self) -> None:
        write_text(self.path / ABORT_NOW, "")

    def write_record(self, record: RunRecord) -> None:
        write_text(self.path / RUN_RECORD, record.as_bytes().decode())

    def record(self) -> RunRecord | None:
        known = _read_json(self.path / RUN_RECORD)
        if known is None:
            return None
        try:
            return RunRecord(**{**known, "owner": Owner(**known["owner"])})
        except (KeyError, TypeError):
            return None

    def write_outcome(self, outcome: JobOutcome) -> None:
        write_text(self.path / OUTCOME, outcome.as_bytes().decode())

    def outcome(self) -> JobOutcome | None:
        known = _read_json(self.path / OUTCOME)
        return JobOutcome(known["kind"], known.get("reason", "")) if known else None

    def is_running(self) -> bool | None:
        """Whether a process of ours works on it; None if that cannot be known from here (a queue)."""
        record = self.record()
        if record is None or record.queue_id:
            return None
        return is_at_work(record.owner, self.path / RUN_RECORD, JOB_LEASE_S)

    def last_words(self, n_lines: int = 5) -> str:
        """The end of run.err, or of run.out if that is empty."""
        for name in (RUN_ERR, RUN_OUT):
            lines = [line for line in tail(self.path / name) if line.strip()]
            if lines:
                return "\n".join(lines[-n_lines:])
        return ""


def tail(path: Path, n_bytes: int = TAIL_BYTES) -> list[str]:
    """The last lines of a log, as a terminal would show them (carriage returns obeyed)."""
    try:
        with open(regular(path), "rb") as handle:
            handle.seek(0, 2)
            size = handle.tell()
            handle.seek(max(0, size - n_bytes))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]


def _read_json(path: Path) -> dict | None:
    try:
        known = json.loads(regular(path).read_text())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None
