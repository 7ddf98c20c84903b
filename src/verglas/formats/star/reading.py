"""The structure of a STAR file: blocks, lists, loop headers; the rows are read in `rows`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from verglas.formats.labels import LabelType, label_type
from verglas.formats.star.columns import Column, TextColumn
from verglas.formats.star.rows import VERSION, Shape, read_rows
from verglas.formats.star.source import Source
from verglas.formats.star.table import Origin, StarTable
from verglas.formats.star.tokens import NUMBER_WIDTH, STRING_WIDTH, split_tokens

_LABEL = re.compile(r"\s*_([^\s#]+)\s*(?:#\s*(\d+)?(.*))?$")
"""`_rlnX`, `_rlnX #3`, `_rlnX # 3 (Angstrom)`, `_rlnX # in pixels`."""
_COMMENT = re.compile(r"[ \t]+#.*$")
_LIST_ITEM = re.compile(r"(\s*_([^\s#]+))(.*)$")


@dataclass
class _Preamble:
    """What stands above a table."""

    version: int | None = None
    comments: list[str] = field(default_factory=list)

    def take_comment(self, line: str) -> None:
        version = VERSION.match(line)
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
            source.is_versioned |= above.version is not None
        elif stripped:
            source.problem(position, _between_tables(line, list(tables)))
        position = following
    if not tables and source.data.strip():
        reason = "comments and no table: the file may have been cut short"
        (source.note if source.data.endswith(b"\n") else source.problem)(position, reason)
    return tables, tuple(source.problems)


def _between_tables(line: str, before: list[str]) -> str:
    """What is wrong with a line that belongs to no table (RELION would lose it without a word)."""
    reason = f"expected data_<name>, a comment or an empty line, found {line[:60]!r}"
    if before:
        reason += f"; an empty line ends table data_{before[-1]}, is this one of its rows?"
    return reason


def _read_block(source: Source, start: int, above: _Preamble) -> tuple[StarTable, int]:
    line, position = source.line_at(start)
    name = _COMMENT.sub("", line.strip(" \t")[len("data_") :])
    if " " in name or "\t" in name:
        source.problem(start, f"expected a table name without blanks, found {name!r}")
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        if _is_loop(source, position, stripped):
            return _read_loop(source, name, above, following, signed=line == "loop_ ")
        if stripped.startswith("_"):
            return _read_list(source, name, above, position)
        if stripped.startswith("data_") or VERSION.match(stripped):
            break
        if stripped.startswith("#"):
            above.comments.append(line)
        elif stripped:
            source.problem(position, f"expected loop_ or a _label after data_{name}, found {line[:60]!r}")
        position = following
    reason = f"table data_{name} has neither loop_ nor labels: the file may have been cut short"
    cut = position >= len(source.data) and not source.data.endswith(b"\n")
    (source.problem if cut else source.note)(position, reason)
    return _table(source, name, above, {}), position


def _is_loop(source: Source, position: int, stripped: str) -> bool:
    """Whether a line opens a loop; like RELION, text behind `loop_` is no part of it."""
    word, _, rest = stripped.partition(" ")
    if word != "loop_":
        return False
    if rest.lstrip(" \t").startswith("_"):
        raise source.error(position, f"expected the labels below loop_, found {stripped[:60]!r}")
    return True


def _read_loop(
    source: Source, name: str, above: _Preamble, position: int, signed: bool
) -> tuple[StarTable, int]:
    labels, position = _read_labels(source, position, name)
    if not labels:
        raise source.error(position, f"expected a _label after loop_ of table data_{name}")
    first_line = source.line_number(position)
    shape = Shape(name, len(labels), signed, _second_may_miss(source, list(labels)))
    rows = read_rows(source, position, shape)
    for label, column in zip(labels, rows.columns):
        column.width = column.width or _usual_width(label)
    columns = dict(zip(labels, rows.columns))
    lines = range(first_line, first_line + rows.count)
    return _table(source, name, above, columns, False, lines, rows.comments), rows.end


def _second_may_miss(source: Source, labels: list[str]) -> bool:
    """Old files leave out an empty text, and so do options of newer ones."""
    if len(labels) != 2 or _usual_width(labels[1]) == NUMBER_WIDTH:
        return False
    return not source.is_versioned or labels[1].endswith("OptionValue")


Labels = dict[str, None]  # in order, looked up for every further one


def _read_labels(source: Source, position: int, name: str) -> tuple[Labels, int]:
    """The labels of a loop, and where its rows begin.

    As RELION does, empty lines and comments among the labels and behind them are passed over.
    Where a table without rows ends, they belong to what follows it.
    """
    labels: Labels = {}
    numbered, behind_labels, text = False, position, ""
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        match = _LABEL.match(line)
        if match is not None and position + len(line) >= len(source.data):
            source.unclosed(len(source.data), name)
        if match is not None and not _is_value(match, numbered, labels):
            _check_label(source, position, match, labels)
            labels[match[1]] = None
            numbered, text = bool(match[2]), match[3] or ""
            behind_labels = following
        elif VERSION.match(stripped):
            break
        elif stripped and not stripped.startswith("#"):
            _check_no_label(source, position, stripped)
            if not stripped.startswith("data_") or (position == behind_labels and len(labels) < 2):
                behind_labels = position
            break
        position = following
    _check_last_label(source, behind_labels, labels, text)
    return labels, behind_labels


def _check_last_label(source: Source, position: int, labels: Labels, text: str) -> None:
    """A lost line end would make the first row a comment of the last label."""
    words = text.split()
    in_brackets = words and words[0][0] in "([" and words[-1][-1] in ")]"
    if labels and len(words) >= len(labels) and not in_brackets:
        raise source.error(
            position - 1,
            f"expected nothing or a comment in brackets behind _{list(labels)[-1]}, found {text[:60]!r}: "
            "a line end may be missing",
        )


def _check_no_label(source: Source, position: int, stripped: str) -> None:
    """A label with something behind it is no row: RELION would take it for a label."""
    word = stripped.split()[0]
    if word.startswith("_") and label_type(word[1:]) is not None:
        raise source.error(position, f"expected {word} #n alone, found {stripped[:60]!r}")


def _is_value(match: re.Match[str], numbered: bool, labels: Labels) -> bool:
    """Whether what looks like a label is a value such as `_0` of a table of one or two columns."""
    alone = match[2] is None and match[3] is None
    return numbered and alone and len(labels) < 3 and label_type(match[1]) is None


def _check_label(source: Source, position: int, match: re.Match[str], labels: Labels) -> None:
    label, number = match[1], match[2]
    if label in labels:
        raise source.error(position, f"column _{label} is there twice")
    if number and int(number) != len(labels) + 1:  # RELION goes by the order of the lines
        source.note(
            position, f"expected _{label} #{len(labels) + 1}, found #{number}: a line is missing or odd"
        )


def _read_list(source: Source, name: str, above: _Preamble, position: int) -> tuple[StarTable, int]:
    columns: dict[str, Column] = {}
    starts: dict[str, int] = {}
    first_line = source.line_number(position)
    closed = False
    behind: int | None = None  # where the comments begin that may belong to what follows
    while position < len(source.data):
        line, following = source.line_at(position)
        stripped = line.strip(" \t")
        if stripped.startswith(("data_", "loop_")) or VERSION.match(stripped):
            break
        if stripped.startswith("_"):
            closed, behind = False, None
            label, token, starts[label] = _read_item(source, position, line, above.version)
            if label in columns:
                raise source.error(position, f"label _{label} is there twice")
            columns[label] = TextColumn([token], _usual_width(label))
        elif stripped.startswith("#"):
            behind = position if behind is None else behind
        elif stripped:
            source.problem(position, f"expected a _label with its value, found {line[:60]!r}")
        else:
            closed = True
        position = following
    position = position if behind is None else behind
    if not closed and above.version is not None:
        source.unclosed(position, name)
    _set_list_widths(columns, starts)
    return _table(source, name, above, columns, True, [first_line]), position


def _read_item(source: Source, position: int, line: str, version: int | None) -> tuple[str, str, int]:
    match = _LIST_ITEM.match(line)
    if match is None:
        raise source.error(position, f"expected _label value, found {line[:60]!r}")
    head, label, rest = match.groups()
    try:
        tokens = split_tokens(rest)
    except ValueError as reason:
        raise source.error(position, f"_{label}: {reason}") from None
    if len(tokens) > 1 and tokens[1].startswith("#"):
        tokens = tokens[:1]
    if len(tokens) > 1:
        source.problem(
            position + len(head), f"expected one value of _{label}, found {len(tokens)}: {rest.strip()!r}"
        )
    cut = position + len(line) >= len(source.data)
    if not tokens and (version is not None or cut):
        source.problem(position + len(head), f"expected a value of _{label}, found none")
    token = tokens[0] if tokens else ""
    return label, token, line.index(token, len(head))


def _set_list_widths(columns: dict[str, Column], starts: dict[str, int]) -> None:
    """Numbers of a list stand to the right of where strings begin; unknown labels show it too."""
    indent = max(map(len, columns)) + 1 + NUMBER_WIDTH
    for label, column in columns.items():
        column.width = NUMBER_WIDTH if starts[label] > indent else STRING_WIDTH


def _usual_width(label: str) -> int:
    return STRING_WIDTH if label_type(label) in (LabelType.STRING, LabelType.VECTOR, None) else NUMBER_WIDTH


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
