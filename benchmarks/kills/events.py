"""A command in a process of its own that kills itself before the K-th event of its file system.

An event is whatever makes, writes, renames or removes a file (Python's own audit events).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

EVENTS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "shutil.rmtree",
    "os.utime",
    "os.truncate",
    "shutil.move",
    "os.chmod",
}
Work = Callable[[], Callable[[], object]]  # makes ready, and returns what is then watched


def in_child(root: Path, work: Work, kill_at: int | None = None) -> int:
    """Do something in a fork; returns how many events there were (0 if it was killed)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_child(root, work, kill_at, writer)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.readline()
    os.waitpid(pid, 0)
    return int(text or 0)


def command(*words: str) -> Work:
    """A command of verglas, watched from its first line."""

    def work() -> Callable[[], object]:
        from verglas.cli.main import main as verglas

        return lambda: verglas(list(words))

    return work


def _be_child(root: Path, work: Work, kill_at: int | None, writer: int) -> NoReturn:
    try:
        os.chdir(root)
        if not os.environ.get("KILL_POINTS_LOUD"):
            silent = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(silent, number)
        watched = work()
        count = _count_events(kill_at)
        watched()
        seen = count[0]
        os.write(writer, f"{seen}\n".encode())
    finally:
        os._exit(1)


def _count_events(kill_at: int | None) -> list[int]:
    """From now on count the events of this process, and die before one of them."""
    count = [0]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in EVENTS and not (event == "open" and _is_written(arguments)):
            return
        path = str(arguments[0]) if arguments else ""
        if path.startswith(("/dev", "/proc")) or path.endswith(".pyc"):
            return
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


def _is_written(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(int(flags) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))  # type: ignore[call-overload]
