"""A process of its own for what loads torch or takes long: the server stays small and quick.

Functions are called with typed arguments and answer with what they return; nothing is printed or parsed. The
process is started with the first call, works in the project's directory, and ends with the server.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any


class WorkerDied(OSError):
    """The process ended in the middle of a call, or took longer than it may."""


class Worker:
    """One call at a time; a process that died is replaced at the next call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def call(self, root: Path, function: Callable[..., Any], *arguments: Any, limit_s: float = 300.0) -> Any:
        """`function(*arguments)` in the directory `root`. Raises what it raises, WorkerDied."""
        with self._lock:
            pipe = self._running()
            try:
                pipe.send((str(root), function, arguments))
                if not pipe.poll(limit_s):
                    self._end()
                    raise WorkerDied(f"this took more than {limit_s:g} s and was given up")
                good, answer = pipe.recv()
            except (EOFError, BrokenPipeError, ConnectionResetError):
                self._end()
                raise WorkerDied(
                    "the process that did this was killed: is the memory of the machine full?"
                ) from None
        if good:
            return answer
        raise answer

    def close(self) -> None:
        """End the process, also in the middle of a call."""
        self._end()

    def _running(self) -> Connection:
        if self._process is None or not self._process.is_alive() or self._pipe is None:
            self._end()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()  # now the end of either process is seen by the other
        return self._pipe

    def _end(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.join(5)


def _serve(pipe: Connection) -> None:
    """Calls until the server is gone."""
    sys.stdout = sys.stderr  # what a job would print on the way is no answer
    while True:
        try:
            root, function, arguments = pipe.recv()
        except EOFError:
            return
        os.chdir(root)
        try:
            answer = True, function(*arguments)
        except Exception as error:  # whoever called handles it
            answer = False, _plain(error)
        try:
            pipe.send(answer)
        except OSError:
            return


def _plain(error: Exception) -> Exception:
    """The error itself if it survives the way to the server, else its words."""
    import pickle

    try:
        return type(error)(*pickle.loads(pickle.dumps(error)).args)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
