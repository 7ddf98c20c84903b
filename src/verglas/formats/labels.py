"""The registry of `rln*` labels: type, unit and meaning of every column we know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

from verglas.formats.labels_table import TABLE


class LabelType(Enum):
    """How RELION stores and writes a column."""

    DOUBLE = "double"
    INT = "int"
    BOOL = "bool"
    STRING = "string"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Label:
    """A column of a STAR file."""

    name: str
    type: LabelType
    unit: str  # "" where there is none
    meaning: str
    replaced_by: str = ""  # the label that took its place, for labels of older versions


def label(name: str) -> Label | None:
    """What we know of a label, without underscore; None for labels nobody registered."""
    return _registry().get(name)


def label_type(name: str) -> LabelType | None:
    """The type of a label; None for labels nobody registered (they stay text)."""
    known = _registry().get(name)
    return known.type if known else None


def known_labels() -> tuple[Label, ...]:
    """All labels, by name."""
    return tuple(_registry().values())


_TYPES = {
    "d": LabelType.DOUBLE,
    "i": LabelType.INT,
    "b": LabelType.BOOL,
    "s": LabelType.STRING,
    "v": LabelType.VECTOR,
}


@cache
def _registry() -> dict[str, Label]:
    labels = (_parse(line) for line in TABLE.splitlines() if line)
    return {one.name: one for one in labels}


def _parse(line: str) -> Label:
    """`name type unit meaning`, the meaning opening with `-> newer name:` where there is one."""
    name, kind, unit, meaning = line.split(" ", 3)
    newer = ""
    if meaning.startswith("-> "):
        newer, meaning = meaning[3:].split(": ", 1)
    replaced_by = f"rln{newer}" if newer else ""
    return Label(f"rln{name}", _TYPES[kind], "" if unit == "-" else unit, meaning, replaced_by)
