"""The last table of a STAR file changed by rows: what stays is copied inside the kernel, not parsed.

A list of thousands of micrographs that grows by one costs the one row, and a copy of the bytes before it
(none where the file system shares extents). The new file replaces the old one at once, as every other.
Rows are written with fixed widths, so that they do not depend on each other: the bytes are those that
`write_star` would write for the whole table.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.formats.star.neutral import neutral
from verglas.formats.star.table import StarTable
from verglas.formats.star.writing import format_star

END = b" \n"  # what closes a table
PIECE_BYTES = 1 << 22
Filler = Callable[[str], str | float]  # of a label


class CannotSplice(Exception):
    """The rows do not fit the list, or the list is not as it was left: it has to be made anew."""


@dataclass
class SplicedList:
    """A file whose last table has rows that belong to keys, in ascending order of keys.

    `lengths[i]` are the bytes of all rows of `keys[i]`; `labels` the columns of the table. A file that
    lists nothing (or is not there) has no keys and takes the columns of the first rows it is given.
    """

    path: Path
    labels: tuple[str, ...]
    keys: list[int]
    lengths: array[int]
    head_bytes: int
    stamp: tuple[int, int]  # size and time of the file as it was left

    @classmethod
    def of_file(cls, path: Path, keys: Sequence[int], counts: Sequence[int]) -> SplicedList:
        """The list in a file; `counts` are the numbers of rows of each key, in the file's order.

        Raises CannotSplice if the file has not these rows, or the keys do not ascend.
        """
        stamp = _stamp_of(path)
        if not sum(counts):
            return cls(path, (), [], array("q"), 0, stamp)
        if any(first >= second for first, second in pairwise(keys)):
            raise CannotSplice(f"the rows of {path} are not in the order of their keys")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CannotSplice(str(error)) from error
        labels, begin = _loop_header(data, path)
        edges = _row_edges(data, begin, path)
        last = np.cumsum(np.asarray(counts, dtype=np.int64))
        if len(edges) - 1 != last[-1]:
            raise CannotSplice(f"{path} has {len(edges) - 1} rows, expected {last[-1]}")
        lengths = np.diff(edges[np.concatenate([[0], last])])
        some = [(key, length) for key, length in zip(keys, lengths.tolist()) if length]
        return cls(
            path, labels, [key for key, _ in some], array("q", (length for _, length in some)), begin, stamp
        )

    def splice(self, fresh: Mapping[int, Sequence[StarTable]], *, missing: Filler | None = neutral) -> None:
        """Give keys new rows: those of the last of their tables (no tables: no rows any more).

        The tables before the last replace those of the file. `missing` says what stands where a row lacks a
        column of the list; None: the list keeps what all have. Raises CannotSplice if rows and list do not fit,
        if somebody else changed the file, or if no row would be left.
        """
        if _stamp_of(self.path) != self.stamp:
            raise CannotSplice(f"{self.path} was changed by another program")
        head: bytes | None = None
        changes: list[tuple[int, bytes]] = []
        for key, tables in sorted(fresh.items()):
            rows = b""
            if tables:
                self.labels = self.labels or tables[-1].labels
                head, rows = _head_and_rows(tables, fitted(tables[-1], self.labels, missing))
            if rows or self._has(key):
                changes.append((key, rows))
        if changes:
            self._write(head, changes)

    def _write(self, head: bytes | None, changes: Sequence[tuple[int, bytes]]) -> None:
        pieces = self._pieces(changes)
        if not pieces:
            raise CannotSplice(f"no row would be left in {self.path}")
        if head is None:
            with open(self.path, "rb") as old:
                head = old.read(self.head_bytes)
        source = self.path if self.keys else os.devnull
        with open(source, "rb") as old, atomic_write(self.path) as out:
            out.write(head)
            for piece in pieces:
                if isinstance(piece, bytes):
                    out.write(piece)
                else:
                    _copy(old, out, *piece)
            out.write(END)
        self.head_bytes, self.stamp = len(head), _stamp_of(self.path)
        self._note(changes)

    @property
    def size_bytes(self) -> int:
        return max(0, self.stamp[0])

    def _has(self, key: int) -> bool:
        where = bisect_left(self.keys, key)
        return where < len(self.keys) and self.keys[where] == key

    def _pieces(self, changes: Sequence[tuple[int, bytes]]) -> list[bytes | tuple[int, int]]:
        """The new rows, and byte ranges of the old file between them."""
        edges = np.concatenate([[0], np.cumsum(np.asarray(self.lengths, dtype=np.int64))])
        edges += self.head_bytes
        pieces: list[bytes | tuple[int, int]] = []
        position = 0
        for key, rows in changes:
            where = bisect_left(self.keys, key)
            pieces += [(int(edges[position]), int(edges[where])), rows]
            position = where + self._has(key)
        pieces.append((int(edges[position]), int(edges[-1])))
        return [piece for piece in pieces if piece and (len(piece) != 2 or piece[0] < piece[1])]

    def _note(self, changes: Sequence[tuple[int, bytes]]) -> None:
        for key, rows in changes:
            where = bisect_left(self.keys, key)
            if self._has(key):
                if rows:
                    self.lengths[where] = len(rows)
                else:
                    del self.keys[where], self.lengths[where]
            else:
                self.keys.insert(where, key)
                self.lengths.insert(where, len(rows))


def fitted(table: StarTable, labels: Sequence[str], missing: Filler | None) -> StarTable:
    """The table with exactly these columns; `missing` says what stands for one (None: it has all).

    Raises CannotSplice for columns that the list would lack (or that the table lacks).
    """
    if table.labels == tuple(labels):
        return table
    if missing is None:
        if not set(labels) <= set(table.labels):
            raise CannotSplice(f"the new rows of {table.name} have fewer columns than the list")
        return table.select(labels)
    if not set(table.labels) <= set(labels):
        raise CannotSplice(f"the new rows of {table.name} have more columns than the list")
    filled = {label: [missing(label)] * len(table) for label in labels if label not in table}
    return table.with_columns(filled).select(labels)


def _head_and_rows(tables: Sequence[StarTable], last: StarTable) -> tuple[bytes, bytes]:
    """What `write_star` would write with `last` as the last table: all before its rows, and its rows."""
    data = format_star([*tables[:-1], last])
    header = "".join(f"_{label} #{n} \n" for n, label in enumerate(last.labels, 1)).encode()
    begin = data.rindex(header) + len(header)
    return data[:begin], data[begin : -len(END)]


def _loop_header(data: bytes, path: Path) -> tuple[tuple[str, ...], int]:
    """Labels of the last loop of a file, and where its rows begin."""
    begin = data.rfind(b"loop_ \n")
    if begin < 0:
        raise CannotSplice(f"{path} holds no list")
    begin += len(b"loop_ \n")
    labels = []
    while data[begin : begin + 1] == b"_":
        end = data.index(b"\n", begin)
        labels.append(data[begin + 1 : end].split()[0].decode())
        begin = end + 1
    return tuple(labels), begin


def _row_edges(data: bytes, begin: int, path: Path) -> npt.NDArray[np.int64]:
    """Where the rows begin, and where the last one ends."""
    if not data.endswith(b"\n" + END):
        raise CannotSplice(f"{path} does not end as a list does")
    rows = np.frombuffer(data, np.uint8)[begin : len(data) - len(END)]
    return np.concatenate([[0], np.flatnonzero(rows == ord("\n")) + 1]) + begin


def _copy(old: IO[bytes], out: IO[bytes], start: int, stop: int) -> None:
    """Bytes of one file to another without passing through this process where the system can."""
    out.flush()
    while start < stop:
        try:
            done = os.copy_file_range(old.fileno(), out.fileno(), stop - start, start)
        except OSError:  # file systems that cannot: through memory
            data = os.pread(old.fileno(), min(PIECE_BYTES, stop - start), start)
            done = out.write(data)
            out.flush()
        if not done:
            raise CannotSplice(f"{old.name} ends early")
        start += done


def _stamp_of(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (-1, 0)
    return status.st_size, status.st_mtime_ns
