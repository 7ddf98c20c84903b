"""`Schemes/<name>/scheme.star`: the whole state of a Scheme, in RELION 4/5's labels or 3.1's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from verglas.formats.star import StarFile, StarTable, format_star, read_star, write_star

UNDEFINED = "undefined"


@dataclass
class Variable:
    """A value and what `--reset` makes of it; booleans are 0 and 1."""

    value: str
    reset: str


@dataclass(frozen=True)
class Operator:
    """One step that is not a job."""

    type: str
    output: str = UNDEFINED
    input1: str = UNDEFINED
    input2: str = UNDEFINED


@dataclass
class SchemeJob:
    """A job of the Scheme and the pipeline's job that stands for it now."""

    name: str  # "Class2D/job012/", or the original name before it was started
    mode: str = "new"  # new, continue (3.1: overwrite)
    has_started: bool = False


@dataclass(frozen=True)
class Edge:
    """From a node to the next; a fork asks a boolean variable."""

    start: str
    end: str
    is_fork: bool = False
    end_if_true: str = UNDEFINED
    variable: str = UNDEFINED


@dataclass
class Scheme:
    """Everything scheme.star says. `word` is "Scheme", or "Schedule" for 3.1's files."""

    name: str  # "Schemes/prep/"
    current: str = UNDEFINED
    word: str = "Scheme"
    floats: dict[str, Variable] = field(default_factory=dict)
    bools: dict[str, Variable] = field(default_factory=dict)
    strings: dict[str, Variable] = field(default_factory=dict)
    operators: dict[str, Operator] = field(default_factory=dict)
    jobs: dict[str, SchemeJob] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    version: int | None = 30001

    @property
    def short_name(self) -> str:
        return self.name.rstrip("/").rsplit("/", 1)[-1]

    @property
    def first_node(self) -> str:
        """Where a run begins: the start of the first edge. Raises ValueError without edges."""
        if not self.edges:
            raise ValueError(f"{self.name} has no edges: there is nothing to run")
        return self.edges[0].start

    def next_node(self, node: str) -> str | None:
        """The node after this one; None at the end. Raises KeyError for an unknown fork variable."""
        for edge in self.edges:
            if edge.start == node:
                if edge.is_fork:
                    return edge.end_if_true if self.bools[edge.variable].value == "1" else edge.end
                return edge.end
        return None

    def reset(self) -> None:
        """Reset values, job names and progress."""
        for group in (self.floats, self.bools, self.strings):
            for variable in group.values():
                variable.value = variable.reset
        for original, job in self.jobs.items():
            job.name, job.has_started = original, False
        self.current = self.first_node


def read_scheme(path: Path) -> Scheme:
    """Read either family of labels. Raises StarError, OSError."""
    star = read_star(path)
    word = "Scheme" if "scheme_general" in star else "Schedule"
    general = star[f"{word.lower()}_general"]
    scheme = Scheme(general.string(f"rln{word}Name"), word=word, version=star.version)
    scheme.current = general.string(f"rln{word}CurrentNodeName")
    for kind, long, into in _groups(scheme):
        for row in _rows(star, f"{word.lower()}_{kind}"):
            prefix = f"rln{word}{long}Variable"
            variable = Variable(row[f"{prefix}Value"], row[f"{prefix}ResetValue"])
            into[row[f"{prefix}Name"]] = variable
    for row in _rows(star, f"{word.lower()}_operators"):
        prefix = f"rln{word}Operator"
        scheme.operators[row[f"{prefix}Name"]] = Operator(
            row[f"{prefix}Type"], row[f"{prefix}Output"], row[f"{prefix}Input1"], row[f"{prefix}Input2"]
        )
    for row in _rows(star, f"{word.lower()}_jobs"):
        scheme.jobs[row[f"rln{word}JobNameOriginal"]] = SchemeJob(
            row[f"rln{word}JobName"], row[f"rln{word}JobMode"], row[f"rln{word}JobHasStarted"] == "1"
        )
    for row in _rows(star, f"{word.lower()}_edges"):
        prefix = f"rln{word}Edge"
        scheme.edges.append(
            Edge(
                row[f"{prefix}InputNodeName"],
                row[f"{prefix}OutputNodeName"],
                row[f"{prefix}IsFork"] == "1",
                row.get(f"{prefix}OutputNodeNameIfTrue", UNDEFINED),
                row.get(f"{prefix}BooleanVariable", UNDEFINED),
            )
        )
    return scheme


def write_scheme(path: Path, scheme: Scheme) -> None:
    """Write it as `read_scheme` reads it."""
    write_star(path, list(_tables(scheme)), version=scheme.version)


def scheme_bytes(scheme: Scheme) -> bytes:
    """What the file holds."""
    return format_star(list(_tables(scheme)), version=scheme.version)


def _groups(scheme: Scheme) -> list[tuple[str, str, dict[str, Variable]]]:
    return [
        ("floats", "Float", scheme.floats),
        ("bools", "Boolean", scheme.bools),
        ("strings", "String", scheme.strings),
    ]


def _rows(star: StarFile, name: str) -> Iterator[dict[str, str]]:
    table = star.get(name)
    if table is None:
        return
    columns = {label: table.strings(label) for label in table.labels}
    for index in range(len(table)):
        yield {label: values[index] for label, values in columns.items()}


def _tables(scheme: Scheme) -> Iterator[StarTable]:
    word, small = scheme.word, scheme.word.lower()
    general = {f"rln{word}Name": scheme.name, f"rln{word}CurrentNodeName": scheme.current}
    yield StarTable.from_columns(f"{small}_general", general, is_list=True)
    for kind, long, group in _groups(scheme):
        prefix = f"rln{word}{long}Variable"
        columns = {
            f"{prefix}Name": list(group),
            f"{prefix}Value": [each.value for each in group.values()],
            f"{prefix}ResetValue": [each.reset for each in group.values()],
        }
        yield StarTable.from_columns(f"{small}_{kind}", columns)
    prefix, operators = f"rln{word}Operator", list(scheme.operators.values())
    yield StarTable.from_columns(
        f"{small}_operators",
        {
            f"{prefix}Name": list(scheme.operators),
            f"{prefix}Type": [each.type for each in operators],
            f"{prefix}Output": [each.output for each in operators],
            f"{prefix}Input1": [each.input1 for each in operators],
            f"{prefix}Input2": [each.input2 for each in operators],
        },
    )
    jobs = list(scheme.jobs.values())
    yield StarTable.from_columns(
        f"{small}_jobs",
        {
            f"rln{word}JobNameOriginal": list(scheme.jobs),
            f"rln{word}JobName": [each.name for each in jobs],
            f"rln{word}JobMode": [each.mode for each in jobs],
            f"rln{word}JobHasStarted": [int(each.has_started) for each in jobs],
        },
    )
    prefix = f"rln{word}Edge"
    yield StarTable.from_columns(
        f"{small}_edges",
        {
            f"{prefix}InputNodeName": [each.start for each in scheme.edges],
            f"{prefix}OutputNodeName": [each.end for each in scheme.edges],
            f"{prefix}IsFork": [int(each.is_fork) for each in scheme.edges],
            f"{prefix}OutputNodeNameIfTrue": [each.end_if_true for each in scheme.edges],
            f"{prefix}BooleanVariable": [each.variable for each in scheme.edges],
        },
    )
