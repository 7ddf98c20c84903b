"""What a micrograph job shows of its results: `logfile.pdf` and `summary.html`, from one call.

Both are drawn from the rows of the job's list. A call with nothing new leaves the files alone, and
thumbnails of micrographs that were shown before are taken from the page that is there.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.atomic import atomic_write, write_text
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.report.pdf_plot import draw_plot
from verglas.jobs.report.plot import Floats, histogram
from verglas.jobs.summary.page import Shot, page
from verglas.jobs.summary.pictures import Pictures
from verglas.jobs.summary.plots import track_plot

SUMMARY = "summary.html"
SHOWN = 12  # newest and worst micrographs, each
NAME = "rlnMicrographName"
_POINTS = 7.5  # type size in the PDF
_SHOT = re.compile(r"<!--shot (\w+)-->(.*?)<!--/shot-->", re.S)
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Summary:
    """What a job shows of its micrographs.

    `columns` maps labels to axis titles; labels that no row has are left out. `pictures` gives the HTML of
    a row's pictures; `worst` is the label by which the worst micrographs are chosen, those with the
    highest values unless `worst_is_low`.
    """

    title: str
    columns: Mapping[str, str]
    pictures: Pictures | None = None
    worst: str = ""
    worst_is_low: bool = False


def write_log(path: Path, summary: Summary, rows: Rows) -> None:
    """Write the PDF at `path` and the summary beside it, unless nothing has changed."""
    values = _values(rows, summary.columns)
    stamp = _stamp(summary.title, rows, values, path.parent)
    if _is_current(path.parent / SUMMARY, stamp) and path.exists():
        return
    write_pdf(path, f"{summary.title}: {len(rows)} micrographs", values)
    _write_page(path.parent, summary, rows, values, stamp)


def write_summary(directory: Path, summary: Summary, rows: Rows) -> None:
    """As `write_log`, for jobs that have no `logfile.pdf`."""
    values = _values(rows, summary.columns)
    stamp = _stamp(summary.title, rows, values, directory)
    if not _is_current(directory / SUMMARY, stamp):
        _write_page(directory, summary, rows, values, stamp)


def _values(rows: Rows, columns: Mapping[str, str]) -> dict[str, Floats]:
    """Title -> values, for labels that rows have; nan where one has none."""
    present = [label for label in columns if any(label in row for row in rows[:1])]
    return {columns[label]: np.array([float(row.get(label, "nan")) for row in rows]) for label in present}


def _stamp(title: str, rows: Rows, values: Mapping[str, Floats], directory: Path) -> str:
    """What the page is made from; float32 because values come back from a file with fewer digits."""
    digest = blake2b(title.encode(), digest_size=12)
    digest.update(os.fsencode("\n".join(str(row.get(NAME, "")) for row in rows)))
    for name, numbers in values.items():
        digest.update(name.encode() + b" ".join(b"%.5g" % number for number in numbers))
    for name, reason in SetAsideList.read(directory).reasons():
        digest.update(os.fsencode(f"{name}\t{reason}\n"))
    return f"verglas summary {digest.hexdigest()}"


def _is_current(path: Path, stamp: str) -> bool:
    try:
        with open(path, encoding="utf-8") as page_there:
            return stamp in page_there.readline()
    except (OSError, UnicodeDecodeError):
        return False


def _write_page(
    directory: Path, summary: Summary, rows: Rows, values: Mapping[str, Floats], stamp: str
) -> None:
    shots: dict[str, list[Shot]] = {}
    pictures, worst = summary.pictures, summary.worst
    if pictures is not None and rows:
        known = _shots_of(directory / SUMMARY)
        newest = list(range(len(rows)))[: -SHOWN - 1 : -1]
        shots["Newest"] = [_shot(rows, row, values, pictures, known) for row in newest]
        if worst and worst in rows[0]:
            badness = np.array([float(row.get(worst, "nan")) for row in rows])
            order = np.argsort(badness if summary.worst_is_low else -badness, kind="stable")
            chosen = [int(row) for row in order if row not in newest][:SHOWN]
            shots["Worst"] = [_shot(rows, row, values, pictures, known) for row in chosen]
    set_aside = list(SetAsideList.read(directory).reasons())
    text = page(summary.title, len(rows), values, shots, set_aside, stamp)
    # names that are not UTF-8 are shown with their bytes written out
    shown = os.fsencode(text).decode("utf-8", "backslashreplace")
    write_text(directory / SUMMARY, shown)


def _shot(
    rows: Rows, index: int, values: Mapping[str, Floats], pictures: Pictures, known: Mapping[str, str]
) -> Shot:
    name = str(rows[index].get(NAME, index + 1))
    facts = [(title, float(numbers[index])) for title, numbers in values.items()]
    text = name + " ".join(f"{value:.5g}" for _, value in facts)
    key = blake2b(os.fsencode(text), digest_size=8).hexdigest()
    made = known.get(key) or pictures(rows[index])
    return Shot(name, facts, f"<!--shot {key}-->{made}<!--/shot-->")


def _shots_of(path: Path) -> dict[str, str]:
    """Pictures of the page that is there."""
    try:
        return dict(_SHOT.findall(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return {}


def write_pdf(path: Path, title: str, values: Mapping[str, Floats]) -> None:
    """Two panels per value: in the order of the list, and its histogram."""
    from matplotlib.figure import Figure

    height = 1.0 + 1.9 * max(1, len(values))
    figure = Figure(figsize=(8.3, height))
    figure.suptitle(title, y=1 - 0.3 / height)
    # a computed layout costs more than the drawing
    figure.subplots_adjust(0.1, 0.5 / height, 0.97, 1 - 0.6 / height, 0.2, 0.5)
    axes = figure.subplots(max(1, len(values)), 2, squeeze=False)
    for (left, right), (name, numbers) in zip(axes, values.items()):
        draw_plot(left, track_plot(numbers, name), _POINTS)
        draw_plot(right, histogram(numbers, name, name), _POINTS)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    with atomic_write(path) as out:
        out.write(buffer.getvalue())
