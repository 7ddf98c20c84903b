"""The rows of a loop, as columns of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from verglas.formats.star.source import Source
from verglas.formats.star.tokens import split_tokens

_EMPTY_LINE = re.compile(rb"^[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_FIELD = re.compile(r"[ \t]*[^ \t]+")


@dataclass(frozen=True)
class Rows:
    """What stands below the labels of a loop."""

    columns: Sequence[Sequence[str]]  # tokens by column, as in the file
    widths: Sequence[int]  # padded width of each column, 0 where no value needed padding
    count: int
    comments: tuple[str, ...]  # 2.x row comments, none or one per row
    end: int  # byte offset behind the loop


def read_rows(source: Source, start: int, n_columns: int, name: str, must_close: bool) -> Rows:
    """Read up to the empty line that ends a loop (with `must_close`, one has to be there).

    Raises StarError for a row with more or fewer values than labels.
    """
    empty = _EMPTY_LINE.search(source.data, start)
    stop = empty.start() if empty else len(source.data)
    lines = source.text(start, stop).split("\n")
    unfinished = lines.pop()
    if unfinished:
        lines.append(unfinished)
    reader = _RowReader(source, n_columns, name)
    end = reader.read(lines, start)
    if end == stop and must_close and (empty is None or empty.start() == len(source.data)):
        source.unclosed(stop, name)
    columns = list(zip(*reader.rows)) if reader.rows else [()] * n_columns
    comments = tuple(reader.comments) if any(reader.comments) else ()
    return Rows(columns, _widths(reader.samples, n_columns), len(reader.rows), comments, end)


class _RowReader:
    """Splits lines into rows of the right length, and says which one is not."""

    def __init__(self, source: Source, n_columns: int, name: str) -> None:
        self.source, self.n_columns, self.name = source, n_columns, name
        self.rows: list[list[str]] = []
        self.comments: list[str] = []
        self.samples: list[str] = []

    def read(self, lines: list[str], offset: int) -> int:
        """Take rows until the lines end or something else begins; returns the offset reached."""
        for raw in lines:
            line = raw.removesuffix("\r")
            tokens = self._split(line, offset)
            comment = ""
            if len(tokens) != self.n_columns:
                if _begins_something_else(tokens, self.n_columns):
                    return offset
                tokens, comment = self._mend(tokens, line, offset)
            if tokens:
                self.rows.append(tokens)
                self.comments.append(comment)
                if len(self.samples) < 50:
                    self.samples.append(line)
            offset += len(raw.encode("utf-8", "surrogateescape")) + 1
        return min(offset, len(self.source.data))

    def _split(self, line: str, offset: int) -> list[str]:
        try:
            return split_tokens(line)
        except ValueError as reason:
            raise self.source.error(offset, f"row of table data_{self.name}: {reason}") from None

    def _mend(self, tokens: list[str], line: str, offset: int) -> tuple[list[str], str]:
        """What RELION accepts of a row with the wrong number of values; else the error."""
        expected = self.n_columns
        if expected == 2 and len(tokens) == 1:
            return [tokens[0], ""], ""
        if len(tokens) > expected and tokens[expected].startswith("#"):
            return tokens[:expected], line[
                line.index(tokens[expected], _start_of(line, expected)) :
            ]
        column = _start_of(line, expected) if len(tokens) > expected else len(line)
        row = f"row {len(self.rows) + 1} of table data_{self.name}"
        found = f"{row}: expected {expected} values, found {len(tokens)}"
        self.source.problem(offset + column, found)
        if tokens[0].startswith("#"):
            return [], ""
        return (tokens + [""] * expected)[:expected], ""


def _begins_something_else(tokens: list[str], n_columns: int) -> bool:
    """A new block, or a comment line, directly behind the rows."""
    first = tokens[0] if tokens else "#"
    return first.startswith("#") or (
        len(tokens) == 1 and first.startswith("data_") and n_columns > 1
    )


def _start_of(line: str, field: int) -> int:
    """Column (from 0) where a field starts; the end of the line if it has fewer."""
    for index, match in enumerate(_FIELD.finditer(line)):
        if index == field:
            return match.end() - len(match[0].lstrip(" \t"))
    return len(line)


def _widths(lines: list[str], n_columns: int) -> list[int]:
    """The width each column was padded to, where a short value shows it."""
    widths = [0] * n_columns
    for line in lines:
        fields = _FIELD.findall(line)
        if len(fields) != n_columns:
            continue  # quoted blanks: another line will do
        for index, text in enumerate(fields):
            padded = text[1:] if index else text
            if not widths[index] and padded.startswith(" "):
                widths[index] = len(padded)
        if all(widths):
            break
    return widths
