"""One runner per Scheme: RELION's lock directory, with our name inside so that a dead one is known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verglas.project.lock import OWNER_FILE
from verglas.project.owner import read_owner, write_owner
from verglas.scheduler.events import record_event


class SchemeTaken(RuntimeError):
    """Another process runs the Scheme."""


@contextmanager
def scheme_lock(root: Path, short_name: str) -> Iterator[None]:
    """Hold `.relion_lock_scheme_NAME` during the block; one left by a dead runner of ours is taken over."""
    lock = root / f".relion_lock_scheme_{short_name}"
    try:
        lock.mkdir()
    except FileExistsError:
        _refuse_if_alive(lock)
        record_event(root, "scheme-lock", f"taken over from a dead runner: {lock.name}")
    write_owner(lock / OWNER_FILE)
    try:
        yield
    finally:
        shutil.rmtree(lock, ignore_errors=True)


def _refuse_if_alive(lock: Path) -> None:
    owner = read_owner(lock / OWNER_FILE)
    if owner is None:
        raise SchemeTaken(f"RELION runs it, or was killed while it did: then remove {lock.name}")
    if owner.is_alive() is not False:
        raise SchemeTaken(f"it is being run by {owner.shown}")
