"""A table as a polars frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from verglas.formats.labels import LabelType, label_type

if TYPE_CHECKING:
    from verglas.formats.star.table import StarTable


def frame_of(table: StarTable) -> pl.DataFrame:
    """Columns typed by the label registry; unknown labels and vectors stay strings."""
    return pl.DataFrame([_series(table, label) for label in table.labels])


def _series(table: StarTable, label: str) -> pl.Series:
    kind = label_type(label)
    if kind is LabelType.DOUBLE:
        return pl.Series(label, table.floats(label), dtype=pl.Float64)
    if kind is LabelType.INT:
        return pl.Series(label, table.ints(label), dtype=pl.Int64)
    if kind is LabelType.BOOL:
        return pl.Series(label, table.bools(label), dtype=pl.Boolean)
    texts = table.strings(label)
    try:
        return pl.Series(label, texts, dtype=pl.String)
    except UnicodeEncodeError:  # names that are not UTF-8: a frame cannot hold them, the table can
        return pl.Series(label, [text.encode(errors="replace").decode() for text in texts])
