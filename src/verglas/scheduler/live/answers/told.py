"""`answers.json`: what the answers are, for the terminal, the pages and the report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from verglas.formats.atomic import write_text
from verglas.outlook.contribution import Contribution
from verglas.outlook.forecast import Forecast
from verglas.outlook.views import Views
from verglas.scheduler.live.record.answer_lines import answers_file
from verglas.scheduler.live.record.order import LiveFolder, read_json


@dataclass(frozen=True)
class Moment:
    """The map after one update, as far as plots need it."""

    time: float  # calendar time
    particles: int
    resolution_angst: float


@dataclass(frozen=True)
class FscCurve:
    """FSC of the halves after one update."""

    particles: int
    frequency: list[float]  # 1/Å
    fsc: list[float]


@dataclass(frozen=True)
class Part:
    """A grid square, or an hour, and what it adds."""

    name: str
    begin: float | None  # calendar time of an hour
    x: float | None  # µm of the stage, of a square
    y: float | None
    adds: Contribution


@dataclass(frozen=True)
class Alert:
    """What somebody should look at; `kind` is worse, stalls, or views."""

    kind: str
    words: str


@dataclass(frozen=True)
class Answers:
    """All of it. What is not known is empty or None, and `unknown` says why."""

    time: float = 0.0
    job: str = ""  # whose map
    update: int = 0
    symmetry: str = "C1"
    nyquist_angst: float = 0.0
    history: list[Moment] = field(default_factory=list)
    now: FscCurve | None = None
    before: FscCurve | None = None  # of half as many particles, or the first
    forecast: Forecast | None = None
    views: Views | None = None
    squares: list[Part] = field(default_factory=list)
    hours: list[Part] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # the answers in words
    unknown: list[str] = field(default_factory=list)


def write_answers(folder: LiveFolder, answers: Answers) -> None:
    write_text(answers_file(folder), json.dumps(asdict(answers)))


def read_answers(folder: LiveFolder) -> Answers | None:
    """None before the first update, or where the file is another version's."""
    from pydantic import TypeAdapter, ValidationError

    known = read_json(answers_file(folder))
    if not known:
        return None
    try:
        return TypeAdapter(Answers).validate_python(known)
    except ValidationError:
        return None
