"""Repeating a from-scratch job without ever losing its last complete result.

A repeat works in `<job>/.round-N/`; paths written inside its files are made final; then a journal is
written (the point of no return) and every name changes over: new files in, stale files out. Whoever
finds a journal finishes what it says, so a kill at any instant leaves the old round or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from verglas.formats.atomic import atomic_write, is_temporary
from verglas.jobs.contract.control_files import (
    ABORT_NOW,
    EXIT_FILES,
    JOB_PIPELINE,
    JOB_STAR,
    NO_HARSH_CLEAN,
    NOTE,
    PIPELINE_BACKUP,
    RUN_ERR,
    RUN_JOB,
    RUN_OUT,
    SUBMIT_SCRIPT,
)
from verglas.project.journal import STAGING, Journal, is_unsettled, replace_in_text, settle
from verglas.project.note import read_note

EXECUTED = " ++++ Executing new job on "
STAGING_PREFIX = ".round-"
MANIFEST = ".verglas_round.json"
KEPT = "rounds"
_LASTING = {
    *EXIT_FILES,
    ABORT_NOW,
    JOB_PIPELINE,
    JOB_STAR,
    NO_HARSH_CLEAN,
    NOTE,
    PIPELINE_BACKUP,
    RUN_ERR,
    RUN_JOB,
    RUN_OUT,
    SUBMIT_SCRIPT,
    "deleted_pipeline.star",
}


@dataclass(frozen=True)
class Manifest:
    """Which files of a job directory are its present result, and which round made them."""

    round: int = 0  # 0: no round is complete yet
    files: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # lay there before the first run: never ours to remove

    def as_bytes(self) -> bytes:
        """What the manifest's file holds."""
        return json.dumps(asdict(self)).encode()


def present_round(directory: Path) -> Manifest | None:
    """What is recorded of the directory's result; None before its first run."""
    try:
        known = json.loads((directory / MANIFEST).read_text())
        return Manifest(known["round"], tuple(known["files"]), tuple(known["before"]))
    except (OSError, ValueError, KeyError):
        return None


def adopt_result(directory: Path) -> None:
    """Take what another program left in a job's directory as its first round."""
    if present_round(directory) is None and EXECUTED in read_note(directory):
        _write_manifest(directory, Manifest(1, tuple(_result_files(directory))))


def begin_first(directory: Path, *, with_files: bool = True) -> None:
    """Before the first run in a directory: remember what lies there already.

    Jobs that never start from scratch need no list of files (they may have a hundred thousand).
    """
    before = tuple(_result_files(directory)) if with_files else ()
    _write_manifest(directory, Manifest(before=before))


def finish_first(directory: Path) -> None:
    """After a complete run in place: its files are the result."""
    known = present_round(directory) or Manifest()
    files = [name for name in _result_files(directory) if name not in known.before]
    _write_manifest(directory, Manifest(known.round + 1, tuple(files), known.before))


def begin_repeat(directory: Path) -> Path:
    """A fresh folder for the next round; what an unfinished one left goes."""
    recover(directory)
    for leftover in directory.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    known = present_round(directory) or Manifest()
    staging = directory / f"{STAGING_PREFIX}{known.round + 1}"
    staging.mkdir()
    return staging


def finish_repeat(directory: Path, staging: Path, name: str, *, keep_rounds: int = 0) -> None:
    """Make the staged round the job's result. `name` is "Class2D/job006/"."""
    known = present_round(directory) or Manifest()
    new = tuple(_files_below(staging))
    for each in new:
        replace_in_text(staging / each, f"{name}{staging.name}/", name)
        _sync_file(staging / each)
    old = known.files
    if known.round == 0:  # the first run never ended well: its leftovers are what was not there before
        old = tuple(each for each in _result_files(directory) if each not in known.before)
    keep = f"{KEPT}/round{known.round:03d}" if keep_rounds and known.round else ""
    journal = Journal(directory)
    for each in old if keep else ():
        journal.keep(each, f"{keep}/{each}")
        journal.reword(f"{keep}/{each}", name, f"{name}{keep}/")
    for each in new:
        journal.move(f"{staging.name}/{each}", each)
    for each in sorted(set(old) - set(new)):
        journal.remove(each, up_to=".")
    journal.write(MANIFEST, Manifest(known.round + 1, tuple(new), known.before).as_bytes())
    journal.remove(staging.name)
    journal.commit()
    _forget_rounds(directory, keep_rounds)


def recover(directory: Path) -> bool:
    """Finish a change-over that was begun; returns whether there was one."""
    return is_unsettled(directory) and settle(directory)


def _forget_rounds(directory: Path, keep_rounds: int) -> None:
    if keep_rounds <= 0:
        return
    for old in sorted((directory / KEPT).glob("round*"))[:-keep_rounds]:
        shutil.rmtree(old, ignore_errors=True)


def _result_files(directory: Path) -> list[str]:
    """Files of a job directory that are no record of its running."""
    return [name for name in _files_below(directory) if name.split("/")[0] not in (*_LASTING, KEPT)]


def _files_below(folder: Path) -> list[str]:
    found = []
    for parent, folders, files in os.walk(folder):
        base = Path(parent)
        if base == folder:
            folders[:] = [each for each in folders if not each.startswith((STAGING_PREFIX, STAGING))]
            files = [each for each in files if not each.startswith(".verglas_")]
        found += [str((base / each).relative_to(folder)) for each in files if not is_temporary(each)]
    return sorted(found)


def _sync_file(path: Path) -> None:
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def _write_manifest(directory: Path, manifest: Manifest) -> None:
    with atomic_write(directory / MANIFEST) as out:
        out.write(manifest.as_bytes())
