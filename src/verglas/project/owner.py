"""Who is doing something, so that others can tell whether it still lives, without comparing clocks."""

from __future__ import annotations

import json
import os
import socket
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from verglas.formats.atomic import write_text


@dataclass(frozen=True)
class Owner:
    """A process on a machine since its last boot; `started` tells re-used process ids apart."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Owner:
        return cls(_host(), boot_id(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def of_pid(cls, pid: int) -> Owner:
        """Another process of this machine."""
        return cls(_host(), boot_id(), pid, _started(pid) or "")

    def is_alive(self) -> bool | None:
        """Whether the process is there; None if it is on another machine and cannot be seen."""
        if self.host != _host():
            return None
        if self.boot != boot_id():
            return False
        started = _started(self.pid)
        return started is not None and started == self.started

    @property
    def shown(self) -> str:
        return f"process {self.pid} on {self.host}"


def read_owner(path: Path) -> Owner | None:
    """Whom a file names; None while there is none that can be read."""
    try:
        return Owner(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living_other(path: Path) -> Owner | None:
    """Another process that a file names, unless it is known to be dead."""
    owner = read_owner(path)
    if owner is None or owner == Owner.this_process() or owner.is_alive() is False:
        return None
    return owner


def write_owner(path: Path) -> None:
    """Enter this process."""
    write_text(path, json.dumps(asdict(Owner.this_process())))


class OwnedFolder(ABC):
    """A folder that one process at a time works on: `owner.json` in it says which."""

    owned_as: ClassVar[str]  # "live session"
    taken: ClassVar[type[RuntimeError]]  # raised where another process is at work
    name: str

    @property
    @abstractmethod
    def path(self) -> Path: ...

    @property
    def owner_file(self) -> Path:
        return self.path / "owner.json"

    def owner(self) -> Owner | None:
        """The process that entered itself last."""
        return read_owner(self.owner_file)

    def take(self) -> None:
        """Enter this process as the one at work. Raises `taken` if another lives."""
        other = living_other(self.owner_file)
        if other is not None:
            raise self.taken(f"{self.owned_as} {self.name} is being run by {other.shown}")
        write_owner(self.owner_file)


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def boot_id() -> str:
    """Which boot of this machine this is; empty where nobody says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """The kernel's start tick of a process; None if there is none (or only its zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_without_proc(pid)
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def _alive_without_proc(pid: int) -> str | None:
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""
