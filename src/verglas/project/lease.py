"""Who works on something: told by its process where that can be seen, elsewhere by a lease it renews.

The file holds the owner; its time of modification is the lease, compared with the clock of the same file
system. A stopped or cut-off owner whose lease ran out may have been replaced: it asks `is_mine` as it renews.
"""

from __future__ import annotations

import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

from verglas.formats.atomic import write_text
from verglas.project.leftovers import now_on_disc_s
from verglas.project.owner import Owner, read_owner

BEAT_S = 5.0
LEASE_S = 60.0  # without a beat, of an owner that cannot be seen


@dataclass
class Lease:
    """One holder at a time."""

    path: Path
    _next_beat_s: float = field(default=0.0, repr=False)

    def holder(self) -> Owner | None:
        """Who holds it or held it last."""
        return read_owner(self.path)

    def is_held(self) -> bool:
        """Whether the holder is at work, as far as can be known."""
        owner = self.holder()
        return owner is not None and is_at_work(owner, self.path)

    def absence(self) -> str:
        """That nobody works on what is wanted, in words; "" while the holder does."""
        if self.is_held():
            return ""
        owner = self.holder()
        was = f"{owner.shown} is gone" if owner else "no process has begun with it yet"
        return f"nobody works on it ({was}); the next verglas command starts it again"

    def take(self) -> Owner | None:
        """Become the holder; the one that is at work if there is another."""
        owner = self.holder()
        if owner is not None and not self.is_mine() and is_at_work(owner, self.path):
            return owner
        self.give(Owner.this_process())
        return None

    def give(self, owner: Owner) -> None:
        """Enter a process: this one, or one just started here that is not up yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(asdict(owner)))

    def is_mine(self) -> bool:
        return self.holder() == Owner.this_process()

    def beat(self) -> bool:
        """Renew it now and then (call often); False if another process took it over meanwhile."""
        now = time.monotonic()
        if now < self._next_beat_s:
            return True
        self._next_beat_s = now + BEAT_S
        if not self.is_mine():
            return False
        with suppress(OSError):
            os.utime(self.path)
        return True


class OwnedFolder(ABC):
    """A folder that one process at a time works on: `owner.json` in it says which."""

    owned_as: ClassVar[str]  # "live session"
    taken: ClassVar[type[RuntimeError]]  # raised where another process is at work
    name: str

    @property
    @abstractmethod
    def path(self) -> Path: ...

    @property
    def lease(self) -> Lease:
        """Whose process works on it."""
        return Lease(self.path / "owner.json")

    def take(self) -> None:
        """Enter this process as the one at work. Raises `taken` if another lives."""
        if other := self.lease.take():
            raise self.taken(f"{self.owned_as} {self.name} is being run by {other.shown}")


@contextmanager
def renewed(*paths: Path) -> Iterator[None]:
    """Renew files during the block, by a thread: for work that never looks up."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(BEAT_S):
            for path in paths:
                with suppress(OSError):
                    os.utime(path)

    thread = threading.Thread(target=renew, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def is_at_work(owner: Owner, path: Path, lease_s: float = LEASE_S) -> bool:
    """Whether a process lives; one that cannot be seen from here, while its file is renewed."""
    alive = owner.is_alive()
    if alive is not None:
        return alive
    try:
        renewed_s = path.stat().st_mtime
        now_s = now_on_disc_s(path.parent)
    except FileNotFoundError:
        return False
    except OSError:  # a disc that cannot be written: by the calendar of this machine
        now_s = time.time()
    return now_s - renewed_s < lease_s
