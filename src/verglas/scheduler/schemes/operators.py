"""What the operators of a Scheme do (table of pipeline.md §3.11)."""

from __future__ import annotations

import glob
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from verglas.formats.star import StarError, StarTable, read_star
from verglas.scheduler.schemes.scheme_file import UNDEFINED, Operator, Scheme, Variable

EQUAL_WITHIN = 1e-8


class OperatorFailed(ValueError):
    """An operator that cannot be carried out; the message names it and what it was given."""


class Values:
    """A Scheme's variables, by kind; names that are no variable are taken literally."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme

    def number(self, name: str) -> float:
        variable = self.scheme.floats.get(name)
        text = variable.value if variable else name
        try:
            return float(text)
        except ValueError:
            raise OperatorFailed(f"{name!r} is neither a number nor a float variable") from None

    def truth(self, name: str) -> bool:
        variable = self.scheme.bools.get(name)
        if variable is None:
            raise OperatorFailed(f"{name!r} is not a boolean variable")
        return variable.value == "1"

    def text(self, name: str) -> str:
        variable = self.scheme.strings.get(name)
        return variable.value if variable else name

    def shown(self, name: str) -> str:
        """The value of a variable of any kind, or the name itself."""
        for group in (self.scheme.strings, self.scheme.floats, self.scheme.bools):
            if name in group:
                return group[name].value
        return name

    def set_number(self, name: str, value: float) -> None:
        self._set(self.scheme.floats, name, f"{value:.10g}", "float")

    def set_truth(self, name: str, value: bool) -> None:
        self._set(self.scheme.bools, name, str(int(value)), "boolean")

    def set_text(self, name: str, value: str) -> None:
        self._set(self.scheme.strings, name, value, "string")

    @staticmethod
    def _set(group: dict[str, Variable], name: str, text: str, kind: str) -> None:
        if name not in group:
            raise OperatorFailed(f"{name!r} is not a {kind} variable: the result has no place to go")
        group[name].value = text


def perform(scheme: Scheme, operator: Operator) -> None:
    """Carry out an operator that only computes or touches files. Raises OperatorFailed."""
    kind, _, action = operator.type.partition("=")
    values = Values(scheme)
    a, b = operator.input1, operator.input2
    try:
        if kind == "bool" and action in _BOOLEAN:
            values.set_truth(operator.output, _BOOLEAN[action](values, a, b))
        elif kind == "float" and action in _FLOAT:
            values.set_number(operator.output, _FLOAT[action](values, a, b))
        elif kind == "string" and action in _STRING:
            values.set_text(operator.output, _STRING[action](values, a, b))
        elif operator.type in _FILES:
            _FILES[operator.type](values, a, b)
        else:
            raise OperatorFailed("this type is not known")
    except (OperatorFailed, StarError, OSError, ZeroDivisionError, IndexError, ValueError) as error:
        raise OperatorFailed(f"operator {operator.type} of {a}, {b}: {error}") from error


Number = Callable[[Values, str, str], float]


def _cell(values: Values, a: str, b: str) -> str:
    """The cell that "file,table,label" and row b name."""
    table, label = _column(values, a)
    row = 0 if b == UNDEFINED else int(values.number(b))
    if not 0 <= row < len(table):
        raise OperatorFailed(f"row {row} of {len(table)} rows")
    return table.string(label, row)


def _column(values: Values, a: str) -> tuple[StarTable, str]:
    parts = [part.strip() for part in values.text(a).split(",")]
    if len(parts) < 3:
        raise OperatorFailed(f"{values.text(a)!r} should be file,table,label")
    return read_star(parts[0])[parts[1]], parts[2]


def _count_images(values: Values, a: str, b: str) -> float:
    path = Path(values.text(a))
    if not path.exists():
        return 0
    wanted = "particles" if b == UNDEFINED else values.text(b)
    table = read_star(path).get(wanted)
    return 0 if table is None else len(table)


def _count_words(values: Values, a: str, _b: str) -> float:
    text = values.text(a)
    return 0 if text in ("", UNDEFINED) else len(text.split(","))


def _column_values(values: Values, a: str) -> list[float]:
    table, label = _column(values, a)
    return [float(each) for each in table.floats(label)]


def _sorted_index(values: Values, a: str, b: str) -> float:
    """Row of the b-th largest (1 is the largest); negative counts from the smallest."""
    numbers = _column_values(values, a)
    order = sorted(range(len(numbers)), key=lambda row: -numbers[row])
    rank = int(values.number(b))
    if rank == 0 or abs(rank) > len(order):
        raise OperatorFailed(f"there is no {rank}th of {len(order)} rows")
    return order[rank - 1] if rank > 0 else order[rank]


def _nth_word(values: Values, a: str, b: str) -> str:
    words, place = values.text(a).split(","), int(values.number(b))
    if place == 0 or abs(place) > len(words):
        return UNDEFINED
    return words[place - 1] if place > 0 else words[place]


def _glob(values: Values, a: str, _b: str) -> str:
    return ",".join(sorted(glob.glob(values.text(a)))) or UNDEFINED


def _around(first: bool, before: bool) -> Callable[[Values, str, str], str]:
    """The part before or after the first or last separator; `undefined` if there is none."""

    def part(values: Values, a: str, b: str) -> str:
        text, mark = values.text(a), values.text(b)
        if mark not in text:
            return UNDEFINED
        head, _, rest = text.partition(mark) if first else text.rpartition(mark)
        return head if before else rest

    return part


def _copy(values: Values, a: str, b: str) -> None:
    Path(values.text(b)).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(values.text(a), values.text(b))


def _move(values: Values, a: str, b: str) -> None:
    Path(values.text(b)).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(values.text(a), values.text(b))


_BOOLEAN: dict[str, Callable[[Values, str, str], bool]] = {
    "set": lambda v, a, b: v.truth(a),
    "and": lambda v, a, b: v.truth(a) and v.truth(b),
    "or": lambda v, a, b: v.truth(a) or v.truth(b),
    "not": lambda v, a, b: not v.truth(a),
    "gt": lambda v, a, b: v.number(a) > v.number(b),
    "lt": lambda v, a, b: v.number(a) < v.number(b),
    "ge": lambda v, a, b: v.number(a) >= v.number(b),
    "le": lambda v, a, b: v.number(a) <= v.number(b),
    "eq": lambda v, a, b: abs(v.number(a) - v.number(b)) < EQUAL_WITHIN,
    "file_exists": lambda v, a, b: os.path.exists(v.text(a)),
    "read_star": lambda v, a, b: _cell(v, a, b) == "1",
}
_FLOAT: dict[str, Number] = {
    "set": lambda v, a, b: v.number(a),
    "plus": lambda v, a, b: v.number(a) + v.number(b),
    "minus": lambda v, a, b: v.number(a) - v.number(b),
    "mult": lambda v, a, b: v.number(a) * v.number(b),
    "divide": lambda v, a, b: v.number(a) / v.number(b),
    "round": lambda v, a, b: math.floor(v.number(a) + 0.5),
    "count_images": _count_images,
    "count_words": _count_words,
    "read_star": lambda v, a, b: float(_cell(v, a, b)),
    "star_table_max": lambda v, a, b: max(_column_values(v, a)),
    "star_table_min": lambda v, a, b: min(_column_values(v, a)),
    "star_table_avg": lambda v, a, b: math.fsum(_column_values(v, a)) / len(_column_values(v, a)),
    "star_table_max_idx": lambda v, a, b: _sorted_index(v, a, "1"),
    "star_table_min_idx": lambda v, a, b: _sorted_index(v, a, "-1"),
    "star_table_sort_idx": _sorted_index,
}
_STRING: dict[str, Callable[[Values, str, str], str]] = {
    "set": lambda v, a, b: v.text(a),
    "join": lambda v, a, b: v.text(a) + v.text(b),
    "before_first": _around(first=True, before=True),
    "after_first": _around(first=True, before=False),
    "before_last": _around(first=False, before=True),
    "after_last": _around(first=False, before=False),
    "read_star": _cell,
    "glob": _glob,
    "nth_word": _nth_word,
}
_FILES: dict[str, Callable[[Values, str, str], None]] = {
    "touch_file": lambda v, a, b: Path(v.text(a)).touch(),
    "copy_file": _copy,
    "move_file": _move,
    "delete_file": lambda v, a, b: Path(v.text(a)).unlink(missing_ok=True),
}
