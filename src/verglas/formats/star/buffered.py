"""Columns of a large table: places in the bytes of the file, turned into values when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verglas.formats.star import scan_kernels
from verglas.formats.star.columns import MISLEADING
from verglas.formats.star.source import Source
from verglas.formats.star.tokens import is_quoted, parse_float, parse_int, unquote

ROWS_AT_ONCE = 4096
"""Rows parsed before the next column's turn: their text (about 2 MB) stays in the cache."""

_POWERS = np.array([float(f"1e{n}") for n in range(23)])  # exact doubles
_NUMBER_STARTS = b"+-.0123456789"
_EXACT = 2.0**53


class Cells:
    """The bytes of a file and where the values of one table lie in them."""

    def __init__(
        self,
        data: np.ndarray,  # (bytes,) uint8
        row_starts: np.ndarray,  # (rows,) int64
        begins: np.ndarray,  # (columns, rows) uint16, from the row start
        ends: np.ndarray,  # (columns, rows) uint16
    ) -> None:
        self.data, self.row_starts, self.begins, self.ends = data, row_starts, begins, ends
        self._numbers: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def token(self, column: int, row: int) -> str:
        """One value as it stands in the file."""
        start = int(self.row_starts[row])
        begin, end = start + int(self.begins[column, row]), start + int(self.ends[column, row])
        return self.data[begin:end].tobytes().decode("utf-8", "surrogateescape")

    def numbers(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """float64 (rows,) of a column, and the rows that need Python's parser.

        The first request parses every column that looks like numbers: the time goes into fetching
        the text from memory, and that is the same for one column as for thirty.
        """
        if column not in self._numbers:
            others = range(len(self.begins)) if not self._numbers else ()
            wanted = {column, *(other for other in others if self._looks_like_numbers(other))}
            self._parse(sorted(wanted))
        return self._numbers[column]

    def _looks_like_numbers(self, column: int) -> bool:
        start = self.row_starts[:1].astype(np.int64) + self.begins[column, :1]
        return all(int(self.data[place]) in _NUMBER_STARTS for place in start)

    def _parse(self, columns: list[int]) -> None:
        n_rows = len(self.row_starts)
        values = {column: np.empty(n_rows) for column in columns}
        odd: dict[int, list[np.ndarray]] = {column: [] for column in columns}
        found = np.empty(ROWS_AT_ONCE, np.int64)
        for first in range(0, n_rows, ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            starts = self.row_starts[rows]
            for column in columns:
                begins, ends = self.begins[column, rows], self.ends[column, rows]
                n_odd = scan_kernels.parse_floats(
                    self.data, starts, begins, ends, _POWERS, values[column][rows], found
                )
                if n_odd:
                    odd[column].append(found[:n_odd] + first)
        nothing = np.empty(0, np.int64)
        for column in columns:
            self._numbers[column] = values[column], np.concatenate([nothing, *odd[column]])


class BufferColumn:
    """Values as byte ranges of the file that was read; the file's bytes stay in memory."""

    __slots__ = ("_cells", "_column", "_floats", "width")

    def __init__(self, cells: Cells, column: int, width: int, floats: np.ndarray | None = None) -> None:
        self._cells, self._column = cells, column
        self.width = width
        self._floats = floats

    def __len__(self) -> int:
        return len(self._cells.row_starts)

    def spans(self, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The bytes, and where each value of these rows begins and ends in them (int64)."""
        cells = self._cells
        starts = cells.row_starts[rows]
        begins, ends = cells.begins[self._column, rows], cells.ends[self._column, rows]
        return cells.data, starts + begins, starts + ends

    def texts(self) -> list[str]:
        tokens, quoted = self._tokens()
        return [unquote(token) for token in tokens] if quoted else tokens

    def tokens(self, full_precision: bool) -> Sequence[str]:
        return self._tokens()[0]

    def is_misleading(self) -> bool:
        data, begins, _ = self.spans(slice(None))
        return bool(np.isin(data[begins], [ord(each) for each in MISLEADING]).any())

    def take(self, rows: Any) -> BufferColumn:
        chosen = np.asarray(rows, dtype=np.int64)
        cells, column = self._cells, slice(self._column, self._column + 1)
        part = Cells(
            cells.data, cells.row_starts[chosen], cells.begins[column, chosen], cells.ends[column, chosen]
        )
        floats = None if self._floats is None else _frozen(self._floats[chosen])
        return BufferColumn(part, 0, self.width, floats)

    def floats(self) -> np.ndarray:
        """float64 (rows,), read-only; raises ValueError at a value that is no number."""
        if self._floats is None:
            values, odd = self._cells.numbers(self._column)
            for row in odd:
                values[row] = parse_float(self._text(row))
            self._floats = _frozen(values)
        return self._floats

    def ints(self) -> np.ndarray:
        """int64 (rows,), read-only; raises ValueError at a value that is no integer."""
        values = self.floats()
        if np.all(np.abs(values) < _EXACT) and np.all(values == np.rint(values)):
            return _frozen(values.astype(np.int64))
        return _frozen(np.array([parse_int(text) for text in self.texts()], np.int64))

    def _text(self, row: int) -> str:
        token = self._cells.token(self._column, row)
        return unquote(token) if is_quoted(token) else token

    def _tokens(self) -> tuple[list[str], bool]:
        """All texts, and whether one is quoted; equal neighbours (names of micrographs) are one object."""
        data, begins, ends = self.spans(slice(None))
        packed = np.empty(int((ends - begins).sum()) + len(self), np.uint8)
        runs = np.empty(len(self), np.int64)
        used, copies, quoted = scan_kernels.pack(data, begins, ends, packed, runs)
        tokens = packed[:used].tobytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
        if copies < len(self):
            tokens = np.repeat(np.array(tokens, dtype=object), runs[:copies]).tolist()
        return tokens, quoted


def scan_large(source: Source, start: int, n_columns: int) -> tuple[Cells, list[int], int, bool]:
    """Find all values of a loop's rows.

    Returns where they are, column widths (0 where unknown), the offset where the scan stopped, and
    whether that is the end of the loop: if not, the line there needs the reader that can explain.
    """
    data = np.frombuffer(source.data, np.uint8)
    first_row = source.data.find(b"\n", start) + 1 - start or len(data)
    most = (len(data) - start) // (2 * n_columns)  # a value and a blank take two bytes
    room = min(int((len(data) - start) / first_row * 1.1), most) + 1000
    while True:
        row_starts = np.empty(room, np.int64)
        begins, ends = np.empty((2, n_columns, room), np.uint16)
        widths = np.zeros(n_columns, np.int64)
        reason, count, stop = scan_kernels.scan_rows(data, start, row_starts, begins, ends, widths)
        if reason != scan_kernels.FULL:
            break
        room *= 2
    cells = Cells(data, row_starts[:count], begins[:, :count], ends[:, :count])
    return cells, widths.tolist(), int(stop), reason == scan_kernels.FINISHED


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
