"""Tables to bytes, exactly as RELION lays them out (pipeline.md §5.1)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from verglas.formats.atomic import atomic_write
from verglas.formats.star.columns import MISLEADING, Column, TextColumn
from verglas.formats.star.table import StarTable
from verglas.formats.star.tokens import NUMBER_WIDTH, padded

Precision = Literal["relion", "full"]
Tables = StarTable | Iterable[StarTable] | Mapping[str, StarTable]
ROWS_AT_ONCE = 4096
LARGE_CELLS = 1_000_000
"""Tables with more values than this go through the compiled writer."""


def write_star(
    path: str | os.PathLike[str],
    tables: Tables,
    *,
    version: int | Literal["as-is"] | None = "as-is",
    comments: Iterable[str] = (),
    precision: Precision = "relion",
    durable: bool = True,
) -> None:
    """Write tables atomically. Tables without rows write nothing; all empty makes a 0-byte file.

    `version` replaces every table's own version comment (30001, 50001, None for none); `comments`
    go on top of the file. `precision="full"` writes values given by a program with the shortest
    digits that read back exactly; text that came from a file is never reformatted.
    """
    pieces = _pieces(tables, version, comments, precision)
    with atomic_write(path, durable=durable) as out:
        for piece in pieces:
            out.write(piece)


def format_star(
    tables: Tables,
    *,
    version: int | Literal["as-is"] | None = "as-is",
    comments: Iterable[str] = (),
    precision: Precision = "relion",
) -> bytes:
    """The bytes `write_star` would write."""
    return b"".join(_pieces(tables, version, comments, precision))


def _pieces(
    tables: Tables, version: int | Literal["as-is"] | None, comments: Iterable[str], precision: Precision
) -> Iterator[bytes]:
    full = precision == "full"
    on_top = [line if line.startswith("#") else f"# {line}" for line in comments]
    for table in _listed(tables):
        if not len(table):
            continue
        number = table.version if version == "as-is" else version
        yield _encoded(_head(table, number, [*on_top, *table.comments]))
        on_top = []
        yield from _list_body(table, full) if table.is_list else _loop_body(table, full)
        yield b" \n"


def _listed(tables: Tables) -> Iterable[StarTable]:
    if isinstance(tables, StarTable):
        return [tables]
    return tables.values() if isinstance(tables, Mapping) else tables


def _head(table: StarTable, version: int | None, comments: list[str]) -> str:
    lines = [*comments, ""]
    if version is not None:
        lines += [f"# version {version}", ""]
    lines += [f"data_{table.name}", ""]
    if not table.is_list:
        lines += ["loop_ ", *(f"_{label} #{n} " for n, label in enumerate(table.labels, 1))]
    return "\n".join(lines) + "\n"


def _list_body(table: StarTable, full: bool) -> Iterator[bytes]:
    indent = max(map(len, table.labels)) + 1 + NUMBER_WIDTH
    for label, column in table.columns.items():
        width = NUMBER_WIDTH if column.width == NUMBER_WIDTH else 0
        yield _encoded(f"{'_' + label:<{indent}}{column.tokens(full)[0]:>{width}}\n")


def _loop_body(table: StarTable, full: bool) -> Iterator[bytes]:
    table = _rows_as_rows(table)
    if len(table) * len(table.columns) > LARGE_CELLS and not table.row_comments:
        from verglas.formats.star.layout import large_loop_body

        yield from large_loop_body(table.columns, len(table), full)
        return
    for start in range(0, len(table), ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, len(table)))
        fields = [_padded(column, rows, full) for column in table.columns.values()]
        ends = [f"{table.row_comments[row]}\n" for row in rows] if table.row_comments else ["\n"] * len(rows)
        yield _encoded("".join("".join(row) for row in zip(*fields, ends)))


def _rows_as_rows(table: StarTable) -> StarTable:
    """Values with which a line would look like a comment or a label are quoted in the first column."""
    label, column = next(iter(table.columns.items()))
    if not column.is_misleading():
        return table
    tokens = [f'"{each}"' if each.startswith(MISLEADING) else each for each in column.tokens(False)]
    columns = {**table.columns, label: TextColumn(tokens, column.width)}
    return replace(table, columns=columns)


def _padded(column: Column, rows: range, full: bool) -> list[str]:
    width, tokens = column.width, column.take(rows).tokens(full)
    if "".join(tokens).isascii():
        return [f"{token:>{width}} " for token in tokens]
    return [f"{padded(token, width)} " for token in tokens]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
