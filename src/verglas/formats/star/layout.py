"""Rows of a large table to bytes, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verglas.formats.star import layout_kernels as kernels
from verglas.formats.star.buffered import BufferColumn
from verglas.formats.star.columns import Column, NumberColumn
from verglas.formats.star.tokens import format_float

ROWS_AT_ONCE = 4096  # about 2 MB of text: stays in the cache of one core


@dataclass(frozen=True)
class _Fields:
    """The texts of one column: bytes, and where each begins and ends."""

    source: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    width: int


def large_loop_body(columns: Mapping[str, Column], n_rows: int, full_precision: bool) -> Iterator[bytes]:
    """The rows as `writing` lays them out, without row comments."""
    for start in range(0, n_rows, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, n_rows))
        yield _joined([_fields(column, rows, full_precision) for column in columns.values()], rows)


def _joined(columns: Sequence[_Fields], rows: slice) -> bytes:
    lengths = np.ones(rows.stop - rows.start, np.int64)  # the line end
    for one in columns:
        kernels.add_lengths(lengths, one.begins, one.ends, one.width)
    row_ends = np.cumsum(lengths)
    out = np.empty(row_ends[-1], np.uint8)
    out[row_ends - 1] = ord("\n")
    positions = row_ends - lengths
    for one in columns:
        kernels.place(out, positions, one.source, one.begins, one.ends, one.width)
    return out.tobytes()


def _fields(column: Column, rows: slice, full_precision: bool) -> _Fields:
    if isinstance(column, BufferColumn):
        return _Fields(*column.spans(rows), column.width)
    if isinstance(column, NumberColumn) and column.is_integer:
        return _integers(np.asarray(column.values[rows], np.int64), column.width)
    if isinstance(column, NumberColumn) and not full_precision:
        return _floats(np.asarray(column.values[rows], np.float64), column.width)
    return _texts(column.take(range(rows.start, rows.stop)).tokens(full_precision), column.width)


def _integers(values: np.ndarray, width: int) -> _Fields:
    slots, begins, ends = _slots(len(values))
    kernels.format_ints(values, slots, begins, ends)
    return _Fields(slots, begins, ends, width)


def _floats(values: np.ndarray, width: int) -> _Fields:
    slots, begins, ends = _slots(len(values))
    odd = np.empty(len(values), np.int64)
    odd = odd[: kernels.format_floats(values, slots, begins, ends, odd)]
    if len(odd):
        others = _texts([format_float(value) for value in values[odd].tolist()], width)
        begins[odd], ends[odd] = others.begins + len(slots), others.ends + len(slots)
        slots = np.concatenate([slots, others.source])
    return _Fields(slots, begins, ends, width)


def _texts(tokens: Sequence[str], width: int) -> _Fields:
    packed = np.frombuffer(("\n".join(tokens) + "\n").encode("utf-8", "surrogateescape"), np.uint8)
    begins, ends = np.empty(len(tokens), np.int64), np.empty(len(tokens), np.int64)
    kernels.split_lines(packed, begins, ends)
    return _Fields(packed, begins, ends, width)


def _slots(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (np.empty(count * kernels.SLOT, np.uint8), np.empty(count, np.int64), np.empty(count, np.int64))
