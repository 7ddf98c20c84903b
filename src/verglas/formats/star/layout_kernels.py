"""Compiled inner loops of writing: numbers to RELION's text, fields to rows.

Loaded only for large tables (`writing.LARGE_CELLS`). `tokens.format_float` is the reference.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SLOT = 24
"""Bytes set aside for one formatted number."""

_SPLIT = 134217729.0  # 2^27 + 1: splits a double into two halves of 26 bits


@njit(cache=True, nogil=True)
def format_floats(
    values: np.ndarray,  # (rows,) float64
    slots: np.ndarray,  # (rows * SLOT,) uint8
    begins: np.ndarray,  # (rows,) int64
    ends: np.ndarray,  # (rows,) int64
    odd: np.ndarray,  # (rows,) int64
) -> int:
    """`%.6f`, `%.5f` when negative, correctly rounded, right-aligned in the slots.

    Returns how many rows (listed in `odd`) need another form: exponents, nan, inf, more than
    12 characters.
    """
    n_odd = 0
    for row in range(values.size):
        value = values[row]
        size = abs(value)
        if not ((0.001 <= size < 99999.0) or size == 0.0):
            odd[n_odd] = row
            n_odd += 1
            continue
        negative = value < 0
        n_decimals = 5 if negative else 6
        scaled = _scaled(size, 100000.0 if negative else 1000000.0)
        end = (row + 1) * SLOT
        position = _put_digits(slots, end, scaled, n_decimals)
        if negative or (value == 0 and np.signbit(value)):
            position -= 1
            slots[position] = 45
        begins[row] = position
        ends[row] = end
    return n_odd


@njit(cache=True, nogil=True)
def _scaled(size: float, power: float) -> int:
    """size * power to the nearest integer, ties to even, as if the product were exact.

    The product is below 2^53. Where its rounded fraction is exactly one half, the rounding error of
    the product (Dekker) decides which side the true value is on.
    """
    product = size * power
    below = np.floor(product)
    rest = product - below
    if rest != 0.5:
        return int(below) + (1 if rest > 0.5 else 0)
    carried = size * _SPLIT
    high = carried - (carried - size)
    low = size - high
    error = (high * power - product) + low * power
    if error > 0 or (error == 0 and int(below) % 2 == 1):
        return int(below) + 1
    return int(below)


@njit(cache=True, nogil=True)
def _put_digits(slots: np.ndarray, end: int, number: int, n_decimals: int) -> int:
    """Write number / 10^n_decimals so that it ends at `end`; returns where it begins."""
    position = end
    for _ in range(n_decimals):
        position -= 1
        following = number // 10
        slots[position] = 48 + (number - following * 10)
        number = following
    if n_decimals:
        position -= 1
        slots[position] = 46
    while True:
        position -= 1
        following = number // 10
        slots[position] = 48 + (number - following * 10)
        number = following
        if number == 0:
            return position


@njit(cache=True, nogil=True)
def format_ints(values: np.ndarray, slots: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> None:
    """Integers (rows,) int64, right-aligned in the slots."""
    for row in range(values.size):
        value = values[row]
        end = (row + 1) * SLOT
        position = _put_digits(slots, end, abs(value), 0)
        if value < 0:
            position -= 1
            slots[position] = 45
        begins[row] = position
        ends[row] = end


@njit(cache=True, nogil=True)
def split_lines(packed: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> None:
    """Where each of the values lies that stand in `packed`, a line end behind each."""
    row = 0
    begin = 0
    for position in range(packed.size):
        if packed[position] == 10:
            begins[row] = begin
            ends[row] = position
            begin = position + 1
            row += 1


@njit(cache=True, nogil=True)
def add_lengths(lengths: np.ndarray, begins: np.ndarray, ends: np.ndarray, width: int) -> None:
    """Add the field lengths (padded, with the blank behind) of one column to the row lengths."""
    for row in range(lengths.size):
        lengths[row] += max(ends[row] - begins[row], width) + 1


@njit(cache=True, nogil=True)
def place(
    out: np.ndarray,  # (bytes,) uint8
    positions: np.ndarray,  # (rows,) int64: where the row goes on; advanced
    source: np.ndarray,  # (bytes,) uint8
    begins: np.ndarray,
    ends: np.ndarray,
    width: int,
) -> None:
    """Write one column's fields: right-aligned to `width`, one blank behind."""
    for row in range(positions.size):
        target = positions[row]
        begin, end = begins[row], ends[row]
        for _ in range(width - (end - begin)):
            out[target] = 32
            target += 1
        for position in range(begin, end):
            out[target] = source[position]
            target += 1
        out[target] = 32
        positions[row] = target + 1
