"""One runner per Scheme: RELION's lock directory, with our name inside so that a dead one is known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verglas.project.lease import Lease, renewed
from verglas.project.lock import OWNER_FILE
from verglas.project.owner import Owner
from verglas.scheduler.events import record_event


class SchemeTaken(RuntimeError):
    """Another process runs the Scheme."""


@contextmanager
def scheme_lock(root: Path, short_name: str) -> Iterator[None]:
    """Hold `.relion_lock_scheme_NAME` during the block; one left by a dead runner of ours is taken over."""
    lock = root / f".relion_lock_scheme_{short_name}"
    lease = Lease(lock / OWNER_FILE)
    try:
        lock.mkdir()
    except FileExistsError:
        owner = lease.holder()
        if owner is None:
            raise SchemeTaken(
                f"RELION runs it, or was killed while it did: then remove {lock.name}"
            ) from None
        if lease.is_held():
            raise SchemeTaken(f"it is being run by {owner.shown}") from None
        record_event(root, "scheme-lock", f"taken over from a dead runner: {lock.name}")
    lease.give(Owner.this_process())
    try:
        with renewed(lease.path):
            yield
    finally:
        shutil.rmtree(lock, ignore_errors=True)
