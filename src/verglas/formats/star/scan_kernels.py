"""Compiled inner loops of reading: finding values in the bytes of rows, turning them into numbers.

Loaded only for large tables (`rows.LARGE_BYTES`): compiling costs seconds once, loading half a
second. The plain-Python reader in `rows` and `tokens` is the reference they must agree with.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FINISHED, BAD_ROW, STRAY, NO_END, LONG_ROW, FULL = range(6)
"""Why a scan stopped: at the end of the loop, or at something Python has to look at."""

_TAB, _LINE, _RETURN, _BLANK, _BELL, _HASH = 9, 10, 13, 32, 7, 35
_LONGEST_ROW = 65535  # offsets inside a row are kept in 16 bits


@njit(cache=True, nogil=True)
def scan_rows(
    data: np.ndarray,
    start: int,
    row_starts: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    widths: np.ndarray,
) -> tuple[int, int, int]:
    """Record where every value of a loop's rows lies.

    data (bytes,) uint8; row_starts (rows,) int64 absolute; begins, ends (columns, rows) uint16
    within the row; widths (columns,) int64 receives the padded width where a value shows it.
    Returns (reason, rows read, offset of the line the scan stopped at).
    """
    size = data.size
    n_columns = begins.shape[0]
    position = start
    row = 0
    while position < size:
        line = position
        column = 0
        if row == row_starts.size:
            return FULL, row, line
        while True:
            gap = position
            while position < size and (data[position] == _BLANK or data[position] == _TAB):
                position += 1
            if position >= size or data[position] == _LINE or data[position] == _RETURN:
                break
            begin = position
            if column == 0 and data[begin] == _HASH:  # a comment, most likely
                return BAD_ROW, row, line
            position = _end_of_value(data, position)
            if position < 0:
                return (NO_END if position == -1 else STRAY), row, line
            if position - line > _LONGEST_ROW:
                return LONG_ROW, row, line
            if column < n_columns:
                begins[column, row] = begin - line
                ends[column, row] = position - line
                separator = 1 if column else 0
                if widths[column] == 0 and begin - gap > separator:
                    widths[column] = position - gap - separator
            column += 1
        if position < size and data[position] == _RETURN:
            if position + 1 < size and data[position + 1] != _LINE:
                return STRAY, row, line
            position += 1
        if column == 0:
            return FINISHED, row, line
        if column != n_columns:
            return BAD_ROW, row, line
        row_starts[row] = line
        row += 1
        position += 1
    return FINISHED, row, size


@njit(cache=True, nogil=True)
def _end_of_value(data: np.ndarray, position: int) -> int:
    """Offset behind the value that starts here; -1: a quote without end, -2: a stray character."""
    size = data.size
    quote = data[position]
    if quote == 34 or quote == 39:
        position += 1
        while position < size and data[position] != _LINE:
            byte = data[position]
            if byte < 32 and byte != _TAB and byte != _BELL and byte != _RETURN:
                return -2
            if byte == quote and data[position - 1] != _BELL:
                behind = data[position + 1] if position + 1 < size else _LINE
                if behind in (_BLANK, _TAB, _LINE, _RETURN):
                    return position + 1
            position += 1
        return -1
    while position < size:
        byte = data[position]
        if byte <= 32:
            if byte in (_BLANK, _LINE, _TAB, _RETURN):
                break
            if byte != _BELL:
                return -2
        elif byte == 127:
            return -2
        position += 1
    return position


@njit(cache=True, nogil=True)
def parse_floats(
    data: np.ndarray,
    row_starts: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    powers: np.ndarray,
    values: np.ndarray,
    odd: np.ndarray,
) -> int:
    """Decimal texts to float64, exactly rounded; returns how many cells need Python.

    row_starts (rows,) int64; begins, ends (rows,) uint16 from there. A text of up to 18 digits whose
    mantissa is below 2^53 and whose power of ten is at most 22 is one exact multiplication or
    division; row numbers of all others (long ones, nan, inf, nonsense) go to `odd`.
    """
    n_odd = 0
    for row in range(begins.size):
        position = row_starts[row] + begins[row]
        end = row_starts[row] + ends[row]
        negative = data[position] == 45
        if negative or data[position] == 43:
            position += 1
        mantissa = np.int64(0)
        digits = 0
        exponent = 0
        after_point = False
        good = True
        while position < end:
            byte = data[position]
            if 48 <= byte <= 57:
                digits += 1
                if digits > 18:
                    good = False
                    break
                mantissa = mantissa * 10 + (byte - 48)
                if after_point:
                    exponent -= 1
            elif byte == 46 and not after_point:
                after_point = True
            else:
                break
            position += 1
        if good and position < end:
            good, shift = _exponent(data, position, end)
            exponent += shift
        if not good or digits == 0 or mantissa > 9007199254740992 or exponent < -22 or exponent > 22:
            odd[n_odd] = row
            n_odd += 1
            continue
        value = np.float64(mantissa)
        value = value / powers[-exponent] if exponent < 0 else value * powers[exponent]
        values[row] = -value if negative else value
    return n_odd


@njit(cache=True, nogil=True)
def _exponent(data: np.ndarray, position: int, end: int) -> tuple[bool, int]:
    """The `e+05` at the end of a number: (whether it is one, its value)."""
    if data[position] != 101 and data[position] != 69:
        return False, 0
    position += 1
    negative = False
    if position < end and (data[position] == 45 or data[position] == 43):
        negative = data[position] == 45
        position += 1
    if position >= end or end - position > 4:
        return False, 0
    shift = 0
    while position < end:
        byte = data[position]
        if byte < 48 or byte > 57:
            return False, 0
        shift = shift * 10 + (byte - 48)
        position += 1
    return True, -shift if negative else shift


@njit(cache=True, nogil=True)
def pack(
    data: np.ndarray, begins: np.ndarray, ends: np.ndarray, packed: np.ndarray, runs: np.ndarray
) -> tuple[int, int, bool]:
    """Copy values one behind the other, a line end behind each; equal neighbours only once.

    begins, ends (rows,) int64; packed (bytes,) uint8; runs (rows,) int64 receives how many rows each copy
    stands for. Returns (bytes written, copies made, whether one is quoted).
    """
    target = 0
    copies = 0
    quoted = False
    for row in range(begins.size):
        begin, end = begins[row], ends[row]
        if row and _same(data, begins[row - 1], ends[row - 1], begin, end):
            runs[copies - 1] += 1
            continue
        if end > begin and (data[begin] == 34 or data[begin] == 39):
            quoted = True
        for position in range(begin, end):
            packed[target] = data[position]
            target += 1
        packed[target] = _LINE
        target += 1
        runs[copies] = 1
        copies += 1
    return target, copies, quoted


@njit(cache=True, nogil=True)
def _same(data: np.ndarray, begin: int, end: int, other: int, other_end: int) -> bool:
    if end - begin != other_end - other:
        return False
    for place in range(end - begin):  # noqa: SIM110 (numba knows no generators)
        if data[begin + place] != data[other + place]:
            return False
    return True
