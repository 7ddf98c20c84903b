"""The rows of a loop, as columns of values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from verglas.formats.star.columns import Column, TextColumn
from verglas.formats.star.source import Source
from verglas.formats.star.tokens import as_bytes, split_tokens

LARGE_BYTES = 8_000_000
LARGE_ROWS = 300_000
"""Loops longer than this go through the compiled reader: loading it costs half a second, but a value as an
object of its own ten times the memory."""

MOST_MENDED_BYTES = 64_000_000
"""Every value becomes an object of its own: about fifty times the bytes of the file."""

VERSION = re.compile(r"\s*#\s*version\s+(\d+)\s*$")
"""RELION writes it above every table: the one comment that means something."""
_EMPTY_LINE_INSIDE = re.compile(rb"\n[ \t]*\r?\n")
_EMPTY_LINE = re.compile(rb"^[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_FIELD = re.compile(r"[ \t]*[^ \t]+")


@dataclass(frozen=True)
class Shape:
    """What rows have to look like."""

    name: str  # of the table
    n_columns: int
    signed: bool = False  # the header is laid out as RELION does it: an empty line ends the rows
    second_may_miss: bool = False  # two columns, the second a string: old files leave it out


@dataclass(frozen=True)
class Rows:
    """What stands below the labels of a loop."""

    columns: Sequence[Column]  # with the width their values were padded to, 0 where none shows it
    count: int
    comments: tuple[str, ...]  # behind the values of a row: none, or one per row
    end: int  # byte offset behind the loop


def read_rows(source: Source, start: int, shape: Shape) -> Rows:
    """Read up to the empty line that ends a loop.

    Raises StarError for a row with more or fewer values than labels.
    """
    rows = _read_large(source, start, shape) if _is_large(source, start) else None
    if rows is None:
        rows = _read_small(source, start, shape)
    if shape.signed and rows.end >= len(source.data):
        source.unclosed(len(source.data), shape.name)
    return rows


def _is_large(source: Source, start: int) -> bool:
    left = len(source.data) - start
    if left <= LARGE_BYTES and source.lines_after(start) <= LARGE_ROWS:
        return False
    empty = _EMPTY_LINE_INSIDE.search(source.data, start, start + LARGE_BYTES)
    return empty is None or source.data.count(b"\n", start, empty.start()) > LARGE_ROWS


def _read_large(source: Source, start: int, shape: Shape) -> Rows | None:
    """The compiled reader; None if a row needs mending, which only the other one can do."""
    from verglas.formats.star.buffered import BufferColumn, scan_large

    cells, widths, stop, finished = scan_large(source, start, shape.n_columns)
    count = len(cells.row_starts)
    if not finished:
        reader = _RowReader(source, shape, first_row=count)
        if reader.read(_until_empty_line(source, stop, shape.name), stop) != stop:
            return None
    columns = [BufferColumn(cells, index, width) for index, width in enumerate(widths)]
    return Rows(columns, count, (), stop)


def _read_small(source: Source, start: int, shape: Shape) -> Rows:
    reader = _RowReader(source, shape)
    end = reader.read(_until_empty_line(source, start, shape.name), start)
    tokens = list(zip(*reader.rows)) if reader.rows else [()] * shape.n_columns
    widths = _widths(reader.samples, shape.n_columns)
    columns = [TextColumn(values, width) for values, width in zip(tokens, widths)]
    comments = (
        tuple(reader.comments.get(row, "") for row in range(len(reader.rows))) if reader.comments else ()
    )
    return Rows(columns, len(reader.rows), comments, end)


def _until_empty_line(source: Source, start: int, name: str) -> list[str]:
    empty = _EMPTY_LINE.search(source.data, start)
    stop = empty.start() if empty else len(source.data)
    if stop - start > MOST_MENDED_BYTES:
        raise source.error(
            start,
            f"table data_{name} has rows that need mending (comments, missing values) in "
            f"{(stop - start) / 1e6:,.0f} MB; at most {MOST_MENDED_BYTES / 1e6:,.0f} MB are mended",
        )
    lines = source.text(start, stop).split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


class _RowReader:
    """Splits lines into rows of the right length, and says which one is not."""

    def __init__(self, source: Source, shape: Shape, first_row: int = 0) -> None:
        self.source, self.shape, self.first_row = source, shape, first_row
        self.rows: list[list[str]] = []
        self.comments: dict[int, str] = {}
        self.samples: list[str] = []

    def read(self, lines: list[str], start: int) -> int:
        """Take rows until the lines end or something else begins; returns the offset reached."""
        offset = start
        behind: int | None = None  # where the comments begin that may belong to what follows
        for raw in lines:
            line = raw.removesuffix("\r")
            try:
                tokens = split_tokens(line)
            except ValueError as reason:
                raise self.source.error(offset, f"{self._row()}: {reason}") from None
            if tokens[:1] == ["#"] or len(tokens) != self.shape.n_columns:
                if _begins_something_else(tokens, self.shape.n_columns):
                    break
                if tokens[0].startswith("#"):
                    behind = offset if behind is None else behind
                    offset += _bytes_of(raw) + 1
                    continue
                tokens = self._mended(tokens, line, offset)
            self.rows.append(tokens)
            if len(self.samples) < 50:
                self.samples.append(line)
            offset, behind = offset + _bytes_of(raw) + 1, None
        return min(offset if behind is None else behind, len(self.source.data))

    def _row(self) -> str:
        return f"row {self.first_row + len(self.rows) + 1} of table data_{self.shape.name}"

    def _mended(self, tokens: list[str], line: str, offset: int) -> list[str]:
        """What RELION accepts of a row with the wrong number of values; else the error."""
        expected = self.shape.n_columns
        if self.shape.second_may_miss and len(tokens) == 1:
            return [tokens[0], ""]
        if len(tokens) > expected and tokens[expected].startswith("#"):
            self.comments[len(self.rows)] = line[_start_of(line, tokens, expected) :]
            return tokens[:expected]
        column = _start_of(line, tokens, expected) if len(tokens) > expected else len(line)
        found = f"{self._row()}: expected {expected} values, found {len(tokens)}"
        self.source.problem(offset + column, found)
        return (tokens + [""] * expected)[:expected]


def _bytes_of(line: str) -> int:
    """How many bytes a line takes in the file, without its end."""
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))


def _begins_something_else(tokens: list[str], n_columns: int) -> bool:
    """An empty line, or a new block directly behind the rows."""
    if not tokens or VERSION.match(" ".join(tokens)):
        return True
    return len(tokens) == 1 and tokens[0].startswith("data_") and n_columns > 1


def _start_of(line: str, tokens: list[str], index: int) -> int:
    """Column (from 0) where a token starts."""
    position = 0
    for token in tokens[:index]:
        position = line.index(token, position) + len(token)
    return line.index(tokens[index], position)


def _widths(lines: list[str], n_columns: int) -> list[int]:
    """The width each column was padded to, where a short value shows it; 0 elsewhere."""
    widths = [0] * n_columns
    for line in lines:
        fields = _FIELD.findall(line if line.isascii() else as_bytes(line))
        if len(fields) != n_columns:
            continue  # quoted blanks: another line will do
        for index, text in enumerate(fields):
            padded = text[1:] if index else text
            if not widths[index] and padded.startswith(" "):
                widths[index] = len(padded)
        if all(widths):
            break
    return widths
