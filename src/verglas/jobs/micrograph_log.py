"""`logfile.pdf` of a micrograph job: time plots and histograms of what was measured."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verglas.formats.atomic import atomic_write


def write_log(
    path: Path, title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]
) -> None:
    """Two panels per column: value against micrograph number, and its histogram.

    `columns` maps labels to axis titles; labels missing from the rows are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    present = [label for label in columns if rows and label in rows[0]]
    figure = Figure(figsize=(8.3, 1.0 + 1.9 * max(1, len(present))), layout="constrained")
    figure.suptitle(f"{title}: {len(rows)} micrographs")
    axes = figure.subplots(max(1, len(present)), 2, squeeze=False)
    for (left, right), label in zip(axes, present):
        values = [float(row[label]) for row in rows]
        left.plot(range(1, len(values) + 1), values, ".", markersize=3)
        left.set_ylabel(columns[label], fontsize=7)
        left.set_xlabel("micrograph", fontsize=7)
        right.hist(values, bins=min(50, max(5, len(values) // 4)))
        right.set_xlabel(columns[label], fontsize=7)
        for axis in (left, right):
            axis.tick_params(labelsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    with atomic_write(path) as out:
        out.write(buffer.getvalue())
