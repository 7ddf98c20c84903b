"""One table of a STAR file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from verglas.formats.star.columns import Column, NumberColumn, TextColumn, VectorColumn
from verglas.formats.star.errors import MissingStarItem, StarError
from verglas.formats.star.tokens import parse_bool, parse_float, parse_int, parse_vector
from verglas.formats.star.values import column_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Value = TypeVar("Value")
DEFAULT_VERSION = 30001
"""The version comment of RELION 3.1 and 4; 50001 is RELION 5's, None writes none (2.x, 3.0)."""


@dataclass(frozen=True)
class Origin:
    """Where the rows of a table came from, for error messages."""

    path: str = ""
    lines: Sequence[int] = ()  # line number of each row, from 1


@dataclass(frozen=True, eq=False)
class StarTable:
    """Columns by label (without underscore), in file order; never changed in place."""

    name: str
    columns: Mapping[str, Column]
    is_list: bool = False
    version: int | None = DEFAULT_VERSION
    comments: tuple[str, ...] = ()  # whole lines above the table, `#` included
    row_comments: tuple[str, ...] = ()  # 2.x: text after the last column, one per row or none
    origin: Origin = field(default=Origin(), compare=False, repr=False)

    def __post_init__(self) -> None:
        lengths = {label: len(column) for label, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of table {self.name!r} differ in length: {lengths}")
        if self.is_list and lengths and len(self) != 1:
            raise ValueError(f"list table {self.name!r} needs one value per label, got {len(self)}")

    @classmethod
    def from_columns(
        cls,
        name: str,
        columns: Mapping[str, Any],
        *,
        is_list: bool = False,
        version: int | None = DEFAULT_VERSION,
        comments: Sequence[str] = (),
    ) -> StarTable:
        """A table of sequences (arrays, lists, polars series); for a list table also plain values.

        The registry of labels decides the type; columns it does not know follow their values.
        Raises ValueError for values that do not fit the label, and for unequal lengths.
        """
        made = {label: column_of(label, _as_sequence(given, is_list)) for label, given in columns.items()}
        return cls(name, made, is_list, version, tuple(comments))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, label: object) -> bool:
        return label in self.columns

    @property
    def labels(self) -> tuple[str, ...]:
        """Column names in file order."""
        return tuple(self.columns)

    def column(self, label: str) -> Column:
        """The column itself; raises MissingStarItem naming the file, the table and its labels."""
        try:
            return self.columns[label]
        except KeyError:
            what = f"table {self.name!r} has no column {label}; it has: {', '.join(self.labels) or 'none'}"
            raise MissingStarItem(what, self.origin.path) from None

    def strings(self, label: str) -> list[str]:
        """The column as text, unquoted."""
        return self.column(label).texts()

    def floats(self, label: str) -> np.ndarray:
        """The column as float64 (rows,), read-only; raises StarError at the first bad value."""
        try:
            return self.column(label).floats()
        except ValueError:
            self._parsed(label, parse_float)  # raises with the place
            raise

    def ints(self, label: str) -> np.ndarray:
        """The column as int64 (rows,), read-only; `3.000` is 3; raises StarError otherwise."""
        try:
            return self.column(label).ints()
        except ValueError:
            self._parsed(label, parse_int)  # raises with the place
            raise

    def bools(self, label: str) -> np.ndarray:
        """The column as bool (rows,), read-only, from 0 and 1; raises StarError otherwise."""
        values = self.ints(label)
        if not ((values == 0) | (values == 1)).all():
            self._parsed(label, parse_bool)  # raises with the place
        truth = values.astype(bool)
        truth.flags.writeable = False
        return truth

    def vectors(self, label: str) -> list[list[float]]:
        """The column as vectors; raises StarError at the first bad value."""
        return self._parsed(label, parse_vector)

    def string(self, label: str, row: int = 0) -> str:
        """One value as text: of a list table, or of a row."""
        return self._only(label, row).texts()[0]

    def number(self, label: str, row: int = 0) -> float:
        """One value as a float; raises StarError if it is none."""
        return self._one(label, row, parse_float)

    def integer(self, label: str, row: int = 0) -> int:
        """One value as an integer; raises StarError if it is none."""
        return self._one(label, row, parse_int)

    def flag(self, label: str, row: int = 0) -> bool:
        """One value as a truth value (0 or 1); raises StarError if it is none."""
        return self._one(label, row, parse_bool)

    def where(self, row: int) -> str:
        """`path:line` of a row, for messages about its content."""
        line = self.origin.lines[row] if row < len(self.origin.lines) else None
        return ":".join(str(part) for part in (self.origin.path or self.name, line) if part is not None)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The table as a polars frame (`pip install 'verglas[frames]'`), typed by the registry."""
        from verglas.formats.star.frames import frame_of

        return frame_of(self)

    def with_columns(self, columns: Mapping[str, Any]) -> StarTable:
        """The table with columns replaced in place or added at the end."""
        made = {
            label: column_of(label, _as_sequence(given, self.is_list)) for label, given in columns.items()
        }
        return replace(self, columns={**self.columns, **made})

    def without(self, labels: Iterable[str]) -> StarTable:
        """The table without these columns (missing ones are no error)."""
        dropped = set(labels)
        return replace(self, columns={k: v for k, v in self.columns.items() if k not in dropped})

    def select(self, labels: Sequence[str]) -> StarTable:
        """The table with these columns only, in this order."""
        return replace(self, columns={label: self.column(label) for label in labels})

    def renamed(self, labels: Mapping[str, str]) -> StarTable:
        """The table with labels renamed, order kept."""
        return replace(self, columns={labels.get(k, k): v for k, v in self.columns.items()})

    def named(self, name: str) -> StarTable:
        """The table under another block name."""
        return replace(self, name=name)

    def take(self, rows: Any) -> StarTable:
        """The rows of these indices, or of a boolean mask, in that order."""
        chosen = _row_indices(rows, len(self))
        lines, notes = self.origin.lines, self.row_comments
        return replace(
            self,
            columns={label: column.take(chosen) for label, column in self.columns.items()},
            row_comments=tuple(notes[row] for row in chosen) if notes else (),
            origin=Origin(self.origin.path, [lines[row] for row in chosen] if lines else ()),
        )

    def _only(self, label: str, row: int) -> Column:
        return self.column(label).take([row])

    def _one(self, label: str, row: int, parse: Callable[[str], Value]) -> Value:
        text = self.string(label, row)
        try:
            return parse(text)
        except ValueError as reason:
            raise self._bad_value(label, row, text, reason) from None

    def _parsed(self, label: str, parse: Callable[[str], Value]) -> list[Value]:
        texts = self.strings(label)
        try:
            return [parse(text) for text in texts]
        except ValueError:
            return [self._one(label, row, parse) for row in range(len(texts))]

    def _bad_value(self, label: str, row: int, text: str, reason: ValueError) -> StarError:
        line = self.origin.lines[row] if row < len(self.origin.lines) else None
        what = f"{label} of row {row + 1} of table {self.name!r} is {text!r}: {reason}"
        return StarError(what, self.origin.path, line)


def concatenate(tables: Sequence[StarTable]) -> StarTable:
    """The rows of all tables, in order, under the first one's name; raises ValueError if labels differ.

    Columns are matched by label; text stays text where all parts are.
    """
    first = tables[0]
    for other in tables[1:]:
        if set(other.labels) != set(first.labels):
            odd = sorted(set(other.labels) ^ set(first.labels))
            raise ValueError(f"tables {first.where(0)} and {other.where(0)} differ in columns: {odd}")
    columns = {label: _joined(label, [table.column(label) for table in tables]) for label in first.labels}
    notes = [note for table in tables for note in (table.row_comments or ("",) * len(table))]
    return replace(
        first,
        columns=columns,
        row_comments=tuple(notes) if any(notes) else (),
        origin=Origin(first.origin.path),
    )


def _joined(label: str, parts: Sequence[Column]) -> Column:
    """Text stays the text it is, numbers stay numbers; a mixture is made anew."""
    if not any(isinstance(part, NumberColumn | VectorColumn) for part in parts):
        return TextColumn([token for part in parts for token in part.tokens(True)], parts[0].width)
    if all(isinstance(part, NumberColumn) for part in parts):
        whole = all(getattr(part, "is_integer", False) for part in parts)
        values = [value for part in parts for value in (part.ints() if whole else part.floats()).tolist()]
        return NumberColumn(values, whole)
    return column_of(label, [text for part in parts for text in part.texts()])


def _as_sequence(given: Any, is_list: bool) -> Any:
    plain = isinstance(given, str | float | int)
    if plain and not is_list:
        raise ValueError(f"a column needs a sequence of values, got {given!r}")
    return [given] if plain else given


def _row_indices(rows: Any, count: int) -> Any:
    dtype = getattr(rows, "dtype", None)
    if dtype is not None and getattr(dtype, "kind", "") == "b":
        if len(rows) != count:
            raise ValueError(f"a mask of {len(rows)} values does not fit {count} rows")
        return rows.nonzero()[0]
    return rows
