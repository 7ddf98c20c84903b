"""What is killed: one command or one request of the pages, and the project that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Words = tuple[str, ...]


def _as_it_is(root: Path) -> None:
    """The template needs nothing more."""


@dataclass(frozen=True)
class Request:
    """What a page sends; `route` is below the project's own address."""

    method: str
    route: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}"


@dataclass(frozen=True)
class Case:
    """A command and what it starts from: the suite's template project, changed by `prepare`."""

    words: Words = ()
    prepare: Callable[[Path], None] = _as_it_is
    starts: bool = False  # processes, which are waited for
    project: str = "."  # where the command's project is
    request: Request | None = None  # instead of words
    ends: tuple[Words, ...] = ()  # what somebody types to see the end of what was started
    then: tuple[Words, ...] = ()  # what somebody does when nobody works any more; judged after it
    shown: str = ""  # instead of the words

    @property
    def name(self) -> str:
        return self.shown or (self.request.name if self.request else " ".join(self.words))


@dataclass(frozen=True)
class Suite:
    """Cases that share a template."""

    name: str
    fakes: Mapping[str, str]  # job types of the tests that stand for the real ones
    make_template: Callable[[Path], Path]
    cases: tuple[Case, ...]


@dataclass
class Report:
    """What the kills of one command left behind."""

    name: str
    events: int = 0
    before: int = 0
    after: int = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)  # event: what differs from both
