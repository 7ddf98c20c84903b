"""What a refinement says in run.out: RELION's bars and lines (pipeline.md §7.4, §7.5)."""

from __future__ import annotations

from verglas.jobs.contract.base import RunContext
from verglas.jobs.refine.telling.stream import ProgressStream


class RunWatcher:
    """Passes the engine's progress on to bar, log and stream; looks for the abort request."""

    def __init__(self, context: RunContext, stream: ProgressStream) -> None:
        self._context, self._stream = context, stream

    def start(self, title: str, total: int) -> None:
        """Begin a bar."""
        self._context.check_abort()
        self._context.progress.start(title, total)
        self._stream.stage(title, total)

    def update(self, done: int) -> None:
        """Move the bar."""
        self._context.progress.update(done)
        self._stream.done(done)
        self._context.check_abort()

    def say(self, line: str) -> None:
        """One line into run.out."""
        self._context.say(line if line.startswith("=") else f" {line}")
