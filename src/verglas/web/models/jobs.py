"""Shapes: jobs, their forms and logs, schedules."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from verglas.scheduler.schedule import RoundDone
from verglas.web.models.base import Shape


class Bar(Shape):
    """A progress bar of a log."""

    fraction: float
    done: str
    total: str = Field(description="empty while unknown")
    unit: str
    title: str = ""


class LogLine(Shape):
    """A line of a log: text or a bar."""

    text: str = ""
    bar: Bar | None = None


class Log(Shape):
    """The end of a log."""

    size: int
    cut: bool = Field(description="the head was left out")
    lines: list[LogLine]


class JobRow(Shape):
    """One job in a list."""

    name: str
    alias: str
    status: str
    folder: str
    foreign: bool
    reason: str
    in_list: Literal["Running", "Scheduled", "Finished"] = Field(alias="list")
    bar: Bar | None = None
    last_round: RoundDone | None = None


class Edge(Shape):
    """A file that one job made and another uses."""

    source: str = Field(alias="from")
    to: str
    node: str
    type: str


class Jobs(Shape):
    """All jobs in pipeline order."""

    jobs: list[JobRow]
    edges: list[Edge]
    outside: list[str]
    trash: list[str]


class JobNode(Shape):
    """A file that a job uses or makes."""

    name: str
    type: str
    exists: bool
    producer: str


class FormField(Shape):
    """One option of a form."""

    key: str
    label: str
    help: str
    unit: str
    kind: Literal["yesno", "choice", "node", "whole", "number", "file", "text"]
    default: str
    minimum: float | None
    maximum: float | None
    step: float | None
    choices: list[str]
    node: str | None
    pattern: str
    on_continue: str


class FormTab(Shape):
    """A tab of a form."""

    title: str
    fields: list[FormField]


class JobShown(Shape):
    """One job with its form; `unknown` says why a form cannot be shown."""

    name: str
    alias: str
    status: str
    folder: str
    foreign: bool
    reason: str
    in_list: str = Field(alias="list")
    inputs: list[JobNode]
    outputs: list[JobNode]
    note: str
    files: list[str]
    bar: Bar | None
    title: str
    tabs: list[FormTab]
    values: dict[str, str]
    is_continue: bool = False
    warnings: list[str] = Field(default_factory=list)
    type: str = ""
    incremental: bool = False
    page: str = Field("", description="the page that shows its results")
    has_halves: bool = False
    unknown: str = ""


class JobType(Shape):
    """A type of job that can be made."""

    folder: str
    title: str
    incremental: bool
    interactive: bool


class NewForm(Shape):
    """The form of a new job."""

    type: str
    title: str
    tabs: list[FormTab]
    values: dict[str, str]
    incremental: bool
    interactive: bool


class OfferShown(Shape):
    """A file that may be chosen as an input."""

    name: str
    type: str
    exists: bool
    producer: str
    shown_producer: str


class ExpectedOutput(Shape):
    """A file that a job will make."""

    name: str
    type: str


class Checked(Shape):
    """What is known of a filled-in form."""

    problems: dict[str, str]
    complaints: list[str]
    warnings: dict[str, str]
    missing: list[str]
    active: dict[str, bool]
    command: str
    outputs: list[ExpectedOutput]


class RefinementProgress(Shape):
    """Iterations done, and the stage a run is in."""

    iterations: list[dict[str, Any]]
    stage: dict[str, Any] | None


class Consequences(Shape):
    """What deleting (jobs) or cleaning (files) would move."""

    jobs: list[str] = Field(default_factory=list)
    count: int = 0
    files: list[str] = Field(default_factory=list)


class ResultShown(Shape):
    """What came of a job in a round."""

    kind: str
    reason: str


class ScheduleShown(Shape):
    """A schedule: what was asked, how far it is."""

    name: str
    jobs: list[str]
    repeat: int
    min_wait_min: float
    phase: str
    round: int
    in_hand: str
    message: str
    over: bool
    wanted: bool
    alive: bool | None
    next_round_in_s: float | None
    now_s: float
    results: dict[str, ResultShown]


class Note(Shape):
    """A note's text."""

    text: str


class JobNote(Shape):
    """The note of a job."""

    job: str
    shown: str
    text: str
