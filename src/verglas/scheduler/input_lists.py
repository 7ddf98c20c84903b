"""The lists a job takes its work from, as they stood when it started: rows and digest.

While movies come in, lists grow. Every list is replaced as a whole, so a job reads one state of it; which
one is written down here, and a job that starts from scratch waits for lists that are too short.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xxhash

from verglas.formats.atomic import write_text
from verglas.formats.star import StarError
from verglas.formats.star.reading import parse_star
from verglas.jobs.contract.base import Job, NothingToDo
from verglas.jobs.contract.options import JobOptions

FILE_NAME = ".verglas_inputs.json"
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")
_OPTICS = re.compile(rb"\ndata_optics\s")
_ODD_LAYOUT = re.compile(rb"[ \t\r]*[\n#]")  # between the labels and the rows
_LAST_LABEL = re.compile(rb"^_[^\n]*\n(?!_)", re.MULTILINE)


@dataclass(frozen=True)
class InputList:
    """One input file at one instant; `rows` is None for what holds no table (suffix files of picks too)."""

    name: str
    rows: int | None
    digest: str  # xxh3, 64 bits

    @property
    def line(self) -> str:
        rows = "" if self.rows is None else f" {self.rows} rows,"
        return f"input {self.name}:{rows} xxh3 {self.digest}"


def read_inputs(root: Path, options: JobOptions) -> list[InputList]:
    """All inputs that exist. Raises OSError."""
    found = []
    for name, _ in options.input_names():
        path = root / name
        if path.is_file():
            data = path.read_bytes() if path.suffix == ".star" else b""
            is_list = path.suffix == ".star" and (b"data_" in data or not data.strip())
            rows = count_rows(data) if is_list else None
            found.append(InputList(name, rows, _digest(path, data)))
    return found


def record_inputs(directory: Path, inputs: Sequence[InputList]) -> None:
    """Leave what the job took in its directory."""
    write_text(directory / FILE_NAME, json.dumps([asdict(each) for each in inputs]), durable=False)


def wait_for_enough(job: type[Job], options: JobOptions, inputs: Sequence[InputList]) -> None:
    """Raise NothingToDo while the first list has fewer rows than the job needs."""
    lists = [each for each in inputs if each.rows is not None]
    least = job.least_inputs(options)
    if lists and (lists[0].rows or 0) < least:
        raise NothingToDo(f"{lists[0].name} has {lists[0].rows} rows, it starts with {least}")


def count_rows(data: bytes) -> int:
    """Rows of the last table of a STAR file, which is the one with the items (the optics come first).

    A table without rows is not written at all: a file that holds optics only has no items. A file laid out as
    RELION does it is counted, not parsed.
    """
    start = data.rfind(b"\nloop_")
    if start < 0 or _OPTICS.search(data, max(0, data.rfind(b"\ndata_", 0, start)), start):
        return 0
    labels = _LAST_LABEL.search(data, start)
    if labels is None or _ODD_LAYOUT.match(data, labels.end()) or b"\n#" in data[start:]:
        return _parsed_rows(data)
    end = _BLANK_LINE.search(data, labels.end() - 1)
    stop = end.start() + 1 if end else len(data)
    body = data[labels.end() : stop]
    return body.count(b"\n") + bool(body and not body.endswith(b"\n"))


def _parsed_rows(data: bytes) -> int:
    try:
        tables, _ = parse_star(data, "")
    except StarError:
        return 0  # the job that reads it says what is wrong
    return len([table for table in tables.values() if table.name != "optics"][-1])


def _digest(path: Path, data: bytes) -> str:
    if data:
        return xxhash.xxh3_64_hexdigest(data)
    digest = xxhash.xxh3_64()
    with open(path, "rb") as source:
        while block := source.read(2**20):
            digest.update(block)
    return digest.hexdigest()
