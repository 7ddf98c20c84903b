"""Who is doing something, so that others can tell whether it still lives, without comparing clocks."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process on a machine since its last boot; `started` tells re-used process ids apart.

    `space` is where its number counts: a container has process numbers of its own. The host's name is for
    people: it changes with every container, and with whoever renames a machine.
    """

    host: str
    boot: str
    pid: int
    started: str
    space: str = ""  # unknown: written by an earlier version

    @classmethod
    def this_process(cls) -> Owner:
        return cls.of_pid(os.getpid())

    @classmethod
    def of_pid(cls, pid: int) -> Owner:
        """Another process of this machine."""
        return cls(_host(), boot_id(), pid, _started(pid) or "", _space())

    def is_alive(self) -> bool | None:
        """Whether the process is there; None if it cannot be seen from here (another machine)."""
        here = self.space == _space() or (not self.space and self.host == _host())
        if self.boot != boot_id() or not here:
            return False if self.boot != boot_id() and self.host == _host() else None
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


@cache
def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
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
