"""Pages of STAR tables: sorted and filtered here, so that a browser shows a million rows.

A table stays in memory only as its file's text; a column is turned into numbers when somebody sorts by
it, filters it or plots it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from verglas.formats.labels import LabelType, label_type
from verglas.formats.labels import label as known_label
from verglas.formats.star import StarError, StarFile, StarTable
from verglas.project.confinement import LARGEST_TABLE, read_table, regular_file
from verglas.project.project import Project

PAGE_ROWS = 500
PLOT_POINTS = 20_000
CACHE_FILES = 2
MOST_BLOCKS, MOST_COLUMNS = 500, 1000  # told to a page
_ORDERS = {"<": np.less, ">": np.greater, "<=": np.less_equal, ">=": np.greater_equal}


class BadFilter(ValueError):
    """A filter that cannot be understood; the message shows one that can."""


@dataclass
class OpenTable:
    """One file, read once, and the order asked for last."""

    star: StarFile
    order: tuple[str, np.ndarray] | None = None  # (key of block, sort and filters, rows)
    numbers: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def rows(self, block: str, sort: str, descending: bool, filters: list[str]) -> np.ndarray:
        """Row numbers of the block in the order asked for, those that pass all filters."""
        key = repr((block, sort, descending, filters))
        if self.order is None or self.order[0] != key:
            table = self.star[block]
            rows = np.arange(len(table))
            for text in filters:
                rows = rows[self._passing(block, table, text)[rows]]
            if sort:
                rows = rows[self._order(block, table, sort, rows, descending)]
            self.order = (key, rows)
        return self.order[1]

    def column(self, block: str, label: str) -> np.ndarray | None:
        """The column as numbers; None if it is text. At most a few are kept."""
        key = (block, label)
        if key not in self.numbers:
            try:
                values = self.star[block].floats(label)
            except StarError:
                return None
            if len(self.numbers) >= 4:
                self.numbers.pop(next(iter(self.numbers)))
            self.numbers[key] = values
        return self.numbers[key]

    def _order(
        self, block: str, table: StarTable, label: str, rows: np.ndarray, descending: bool
    ) -> np.ndarray:
        numbers = self.column(block, label) if is_numeric(table, label) else None
        values = numbers if numbers is not None else np.array(table.strings(label), dtype=object)
        order = np.argsort(values[rows], kind="stable")
        return order[::-1] if descending else order

    def _passing(self, block: str, table: StarTable, text: str) -> np.ndarray:
        label, sign, wanted = parse_filter(text, table.labels)
        if sign in _ORDERS:
            numbers = self.column(block, label)
            if numbers is None:
                raise BadFilter(f"{label} holds text: use {label} ~ part of it")
            return np.asarray(_ORDERS[sign](numbers, float(wanted)))
        strings = table.strings(label)
        if sign == "~":
            part = wanted.lower()
            return np.fromiter((part in each.lower() for each in strings), bool, len(strings))
        numbers = self.column(block, label) if _is_number(wanted) else None
        if numbers is not None:
            same = numbers == float(wanted)
        else:
            same = np.fromiter((each == wanted for each in strings), bool, len(strings))
        return same if sign == "=" else ~same


class TableCache:
    """The files opened last. A file that changed is read again."""

    def __init__(self, max_files: int = CACHE_FILES) -> None:
        self.max_files = max_files
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], OpenTable] = OrderedDict()
        self._reading: dict[tuple[str, int, int], threading.Lock] = {}

    def get(self, project: Project, name: str) -> OpenTable:
        """A table through the door; others are read meanwhile. Raises OSError, TooLarge, StarError."""
        path = regular_file(project, name, LARGEST_TABLE)
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            door = self._reading.setdefault(key, threading.Lock())
        with door:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            try:
                opened = OpenTable(read_table(project, name))
            finally:
                with self._lock:
                    self._reading.pop(key, None)
            self._keep(key, opened)
        return opened

    def _keep(self, key: tuple[str, int, int], opened: OpenTable) -> None:
        with self._lock:
            for old in [each for each in self._kept if each[0] == key[0]]:
                del self._kept[old]
            while len(self._kept) >= self.max_files:
                self._kept.popitem(last=False)
            self._kept[key] = opened


def blocks_of(opened: OpenTable) -> list[dict[str, Any]]:
    """Name, size and columns of every table; a list table comes with its values."""
    found = []
    for name, table in islice(opened.star.items(), MOST_BLOCKS):
        told = table.labels[:MOST_COLUMNS]
        labels = [_described(table, label) for label in told]
        block = {"name": name, "rows": len(table), "is_list": table.is_list, "columns": labels}
        if table.is_list:
            block["values"] = {label: table.string(label) for label in told}
        found.append(block)
    return found


def left_out(opened: OpenTable) -> str:
    """What `blocks_of` does not tell, in words; "" if it tells all."""
    blocks = len(opened.star) - MOST_BLOCKS
    columns = max((len(table.labels) for table in opened.star.values()), default=0) - MOST_COLUMNS
    parts = [f"{blocks:,} more tables"] if blocks > 0 else []
    parts += [f"{columns:,} more columns"] if columns > 0 else []
    return " and ".join(parts)


def page(
    opened: OpenTable, block: str, *, offset: int, count: int, sort: str, descending: bool, filters: list[str]
) -> dict[str, Any]:
    """`count` rows from `offset` on, as texts, with their numbers in the file (from 0)."""
    table = opened.star[block]
    if sort:
        table.column(sort)  # raises for a label that is not there
    rows = opened.rows(block, sort, descending, filters)
    chosen = rows[max(0, offset) : max(0, offset) + min(count, PAGE_ROWS)]
    part = table.select(table.labels[:MOST_COLUMNS]).take(chosen)
    columns = [part.strings(label) for label in part.labels]
    return {
        "total": len(table),
        "passing": len(rows),
        "offset": offset,
        "rows": chosen.tolist(),
        "cells": [list(row) for row in zip(*columns)] if len(chosen) else [],
    }


def plot(
    opened: OpenTable, block: str, x: str, y: str, filters: list[str], points: int = PLOT_POINTS
) -> dict[str, Any]:
    """Column against column (or against the row), every n-th row if there are too many to see."""
    rows = opened.rows(block, "", False, filters)
    step = max(1, -(-len(rows) // points))
    chosen = rows[::step]
    found: dict[str, Any] = {"step": step, "rows": chosen.tolist()}
    for name, label in (("x", x), ("y", y)):
        if not label:
            found[name] = chosen.tolist()
            continue
        values = opened.column(block, label)
        if values is None:
            raise BadFilter(f"{label} holds text and cannot be plotted")
        found[name] = [float(each) if np.isfinite(each) else None for each in values[chosen]]
    return found


def parse_filter(text: str, labels: tuple[str, ...]) -> tuple[str, str, str]:
    """`rlnDefocusU > 10000`, `rlnMicrographName ~ 0001`, `rlnClassNumber = 3`. Raises BadFilter."""
    for sign in ("<=", ">=", "!=", "<", ">", "=", "~"):
        label, found, wanted = text.partition(sign)
        if found:
            label, wanted = label.strip().removeprefix("_"), wanted.strip()
            full = next((each for each in labels if each in (label, f"rln{label}")), None)
            if full is None:
                raise BadFilter(f"there is no column {label!r}; there are {', '.join(labels[:60])}")
            if sign in _ORDERS and not _is_number(wanted):
                raise BadFilter(f"{wanted!r} is no number")
            return full, sign, wanted
    raise BadFilter(f"{text!r}: write a column, one of < > = != <= >= ~, and a value")


def is_numeric(table: StarTable, label: str) -> bool:
    """Whether a column holds numbers: by the registry, else by its first value."""
    kind = label_type(label)
    if kind is not None:
        return kind in (LabelType.DOUBLE, LabelType.INT, LabelType.BOOL)
    return len(table) > 0 and _is_number(table.string(label, 0))


def _described(table: StarTable, label: str) -> dict[str, Any]:
    known = known_label(label)
    return {
        "label": label,
        "numeric": is_numeric(table, label),
        "unit": known.unit if known else "",
        "meaning": known.meaning if known else "",
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
