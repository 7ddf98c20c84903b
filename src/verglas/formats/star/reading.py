"""The structure of a STAR file: blocks, lists, loop headers; the rows are read in `rows`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from verglas.formats.labels import LabelType, label_type
from verglas.formats.star.columns import Column, TextColumn
from verglas.formats.star.rows import Shape, read_rows
from verglas.formats.star.source import Source
from verglas.formats.star.table import Origin, StarTable
from verglas.formats.star.tokens import NUMBER_WIDTH, STRING_WIDTH, split_tokens

_VERSION = re.compile(r"#\s*version\s+(\d+)\s*$")
_LABEL = re.compile(r"\s*_([^\s#]+)\s*(?:#\s*(\d+)\s*)?$")
_LIST_ITEM = re.compile(r"(\s*_([^\s#]+))(.*)$")


@dataclass
class _Preamble:
    """What stands above a table."""

    version: int | None = None
    comments: list[str] = field(default_factory=list)

    def take_comment(self, line: str) -> None:
        version = _VERSION.match(line)
        if version:
            self.version = int(version[1])
        else:
            self.comments.append(line)


def parse_star(
    data: bytes, path: str, permissive: bool = False
) -> tuple[dict[str, StarTable], tuple[str, ...]]:
    """All tables by name, and what was passed over; raises StarError (strict)."""
    source = Source(data.removeprefix(b"\xef\xbb\xbf"), path, permissive)
    tables: dict[str, StarTable] = {}
    above, position = _Preamble(), 0
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        if stripped.startswith("data_"):
            table, following = _read_block(source, position, above)
            if table.name in tables:
                source.problem(position, f"a second table data_{table.name}")
            tables.setdefault(table.name, table)
            above = _Preamble()
        elif stripped.startswith("#"):
            above.take_comment(line)
        elif stripped:
            source.problem(
                position, f"expected data_<name>, a comment or an empty line, found {line[:60]!r}"
            )
        position = following
    return tables, tuple(source.problems)


def _read_block(source: Source, start: int, above: _Preamble) -> tuple[StarTable, int]:
    line, position = source.line_at(start)
    name = line.strip(" \t")[len("data_") :]
    if " " in name or "\t" in name:
        source.problem(start, f"expected a table name without blanks, found {name!r}")
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        if stripped == "loop_":
            return _read_loop(source, name, above, following, signed=line == "loop_ ")
        if stripped.startswith("_"):
            return _read_list(source, name, above, position)
        if stripped.startswith("data_") or _VERSION.match(stripped):
            break
        if stripped.startswith("#"):
            above.comments.append(line)
        elif stripped:
            source.problem(
                position, f"expected loop_ or a _label after data_{name}, found {line[:60]!r}"
            )
        position = following
    if position >= len(source.data):
        source.note(
            position,
            f"table data_{name} has neither loop_ nor labels: the file may have been cut short",
        )
    return _table(source, name, above, {}), position


def _read_loop(
    source: Source, name: str, above: _Preamble, position: int, signed: bool
) -> tuple[StarTable, int]:
    labels: dict[str, None] = {}  # in order, looked up for every further one
    numbered = False
    while position < len(source.data):
        line, following = source.line_at(position)
        match = _LABEL.match(line)
        if match is None or (numbered and not match[2]):  # else a value such as `_0`
            if labels or line.strip(" \t"):
                break
        else:
            _check_label(source, position, match, labels)
            labels[match[1]] = None
            numbered = bool(match[2])
        position = following
    if not labels:
        raise source.error(position, f"expected a _label after loop_ of table data_{name}")
    first_line = source.line_number(position)
    numeric = {_usual_width(label) for label in list(labels)[1:]} == {NUMBER_WIDTH}
    shape = Shape(
        name, len(labels), signed, above.version is None, len(labels) == 2 and not numeric
    )
    rows = read_rows(source, position, shape)
    for label, column in zip(labels, rows.columns):
        column.width = column.width or _usual_width(label)
    columns = dict(zip(labels, rows.columns))
    lines = range(first_line, first_line + rows.count)
    return _table(source, name, above, columns, False, lines, rows.comments), rows.end


def _check_label(
    source: Source, position: int, match: re.Match[str], labels: Mapping[str, None]
) -> None:
    label, number = match[1], match[2]
    if label in labels:
        raise source.error(position, f"column _{label} is there twice")
    if number and int(number) != len(labels) + 1:
        source.problem(
            position,
            f"expected _{label} #{len(labels) + 1}, found #{number}: a line is missing or odd",
        )


def _read_list(source: Source, name: str, above: _Preamble, position: int) -> tuple[StarTable, int]:
    columns: dict[str, Column] = {}
    starts: dict[str, int] = {}
    first_line = source.line_number(position)
    closed = False
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        if stripped.startswith(("data_", "loop_")) or _VERSION.match(stripped):
            break
        if stripped.startswith("_"):
            if closed:
                source.problem(
                    position, f"a _label after the empty line that ends table data_{name}"
                )
            label, token, starts[label] = _read_item(source, position, line, above.version)
            if label in columns:
                raise source.error(position, f"label _{label} is there twice")
            columns[label] = TextColumn([token], _usual_width(label))
        elif stripped.startswith("#"):
            break
        elif stripped:
            source.problem(position, f"expected a _label with its value, found {line[:60]!r}")
        else:
            closed = True
        position = following
    if not closed and above.version is not None:
        source.unclosed(position, name)
    _set_list_widths(columns, starts)
    return _table(source, name, above, columns, True, [first_line]), position


def _read_item(
    source: Source, position: int, line: str, version: int | None
) -> tuple[str, str, int]:
    match = _LIST_ITEM.match(line)
    if match is None:
        raise source.error(position, f"expected _label value, found {line[:60]!r}")
    head, label, rest = match.groups()
    try:
        tokens = split_tokens(rest)
    except ValueError as reason:
        raise source.error(position, f"_{label}: {reason}") from None
    if version is None and len(tokens) > 1 and tokens[1].startswith("#"):
        tokens = tokens[:1]
    if len(tokens) > 1:
        source.problem(
            position + len(head),
            f"expected one value of _{label}, found {len(tokens)}: {rest.strip()!r}",
        )
    if not tokens and version is not None:
        source.problem(position + len(head), f"expected a value of _{label}, found none")
    token = tokens[0] if tokens else ""
    return label, token, line.index(token, len(head))


def _set_list_widths(columns: dict[str, Column], starts: dict[str, int]) -> None:
    """Numbers of a list stand to the right of where strings begin; unknown labels show it too."""
    indent = max(map(len, columns)) + 1 + NUMBER_WIDTH
    for label, column in columns.items():
        column.width = NUMBER_WIDTH if starts[label] > indent else STRING_WIDTH


def _usual_width(label: str) -> int:
    return (
        STRING_WIDTH
        if label_type(label) in (LabelType.STRING, LabelType.VECTOR, None)
        else NUMBER_WIDTH
    )


def _table(
    source: Source,
    name: str,
    above: _Preamble,
    columns: dict[str, Column],
    is_list: bool = False,
    lines: range | list[int] = range(0),
    notes: tuple[str, ...] = (),
) -> StarTable:
    origin = Origin(source.path, lines)
    return StarTable(name, columns, is_list, above.version, tuple(above.comments), notes, origin)
