"""What a session says: lines of the project's event log, and problems that its page shows."""

from __future__ import annotations

from pathlib import Path

from verglas.scheduler.events import record_event

MOST_PROBLEMS = 10


class SessionLog:
    """The voice of one session. `root` is the project."""

    def __init__(self, root: Path, session: str) -> None:
        self.root, self.session = root, session
        self.problems: list[str] = []  # the newest, each once

    def event(self, kind: str, text: str, **details: object) -> None:
        """A line of the project's event log."""
        record_event(self.root, kind, text, session=self.session, **details)

    def show(self, text: str) -> None:
        """A problem on the page; what is known already is not shown again."""
        if text not in self.problems:
            self.problems = [*self.problems[1 - MOST_PROBLEMS :], text]

    def complain(self, text: str) -> None:
        """A problem on the page and in the log, once."""
        if text not in self.problems:
            self.show(text)
            self.event("live-problem", text)
