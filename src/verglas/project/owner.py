"""Who is doing something, so that others can tell whether it still lives, without comparing clocks."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process on a machine since its last boot; `started` tells re-used process ids apart."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Owner:
        return cls(_host(), _boot(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def of_pid(cls, pid: int) -> Owner:
        """Another process of this machine."""
        return cls(_host(), _boot(), pid, _started(pid) or "")

    def is_alive(self) -> bool | None:
        """Whether the process is there; None if it is on another machine and cannot be seen."""
        if self.host != _host():
            return None
        if self.boot != _boot():
            return False
        started = _started(self.pid)
        return started is not None and started == self.started

    @property
    def shown(self) -> str:
        return f"process {self.pid} on {self.host}"


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _boot() -> str:
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
