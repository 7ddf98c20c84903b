"""Thresholds on micrographs: which are accepted, which set aside, and why, in words.

A threshold is `name <= value` or `name >= value`; several are separated by `;`. A name is a STAR label
or the short name of a figure (`verglas live thresholds` lists them). A person's verdict on a micrograph
goes before every threshold; a micrograph without the figure is not judged by it. What 2D classes of a live
session say of a micrograph stands in a file beside the persons' verdicts and gives way to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.contract.set_aside import FILE_NAME, NAME, REASON, SetAsideList
from verglas.jobs.contract.tables import Row, read_list, rows_of, table_of
from verglas.jobs.select.figures import KINDS, FigureKind, figures_of_row, kind_named

KIND = "verglasReasonKind"
THRESHOLD, MANUAL, FAILURE, UNLIKE = "threshold", "manual", "failure", "classes"
VERDICT, WHY = "verglasVerdict", "verglasReason"
ACCEPT, REJECT = "accept", "reject"
UNLIKE_VERDICT = "unlike"  # of 2D classes
UNLIKE_FILE = "unlike.star"
ABSENT = -1.0
_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=)\s*([-+.\deE]+)\s*")


@dataclass(frozen=True)
class Threshold:
    """One limit of one figure."""

    kind: FigureKind
    at_most: bool
    limit: float

    @property
    def text(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{self.kind.label or self.kind.key} {sign} {self.limit:g}"

    @property
    def words(self) -> str:
        """ "CTF fit at most 8 Å"."""
        unit = f" {self.kind.unit}" if self.kind.unit else ""
        return f"{self.kind.title} {'at most' if self.at_most else 'at least'} {self.limit:g}{unit}"

    def complaint(self, value: float) -> str:
        """Why a value misses the limit; "" if it keeps it."""
        kind = self.kind
        if value <= self.limit if self.at_most else value >= self.limit:
            return ""
        unit = f" {kind.unit}" if kind.unit else ""
        most = "at most" if self.at_most else "at least"
        return f"{kind.title} {value:.4g}{unit}, accepted is {most} {self.limit:g}{unit}"


def parse_thresholds(text: str) -> tuple[Threshold, ...]:
    """Thresholds of a text. Raises ValueError naming the part that is none."""
    found = []
    for part in filter(str.strip, text.split(";")):
        match = _FORM.fullmatch(part)
        if match is None:
            raise ValueError(f"threshold {part.strip()!r}: expected e.g. rlnCtfMaxResolution <= 6")
        kind = kind_named(match[1])
        if kind is None:
            known = ", ".join(kind.label or kind.key for kind in KINDS)
            raise ValueError(f"threshold on {match[1]!r}: known are {known}")
        try:
            found.append(Threshold(kind, match[2] == "<=", float(match[3])))
        except ValueError:
            raise ValueError(f"threshold {part.strip()!r}: {match[3]!r} is no number") from None
    return tuple(found)


def complaints(thresholds: Iterable[Threshold], figures: Mapping[str, float]) -> str:
    """All limits that the figures (by short name) miss, in words."""
    found = [each.complaint(figures[each.kind.key]) for each in thresholds if each.kind.key in figures]
    return "; ".join(filter(None, found))


def read_manual(path: Path) -> dict[str, tuple[str, str]]:
    """A person's verdicts by micrograph: (accept or reject, reason)."""
    if not path.is_file():
        return {}
    star = read_star(path)
    if "manual" not in star:
        return {}
    table = star["manual"]
    verdicts = zip(table.strings(VERDICT), table.strings(WHY))
    return dict(zip(table.strings(NAME), verdicts))


def read_verdicts(path: Path) -> dict[str, tuple[str, str]]:
    """Persons' verdicts (their file) and, where there are none, those of 2D classes (the file beside it)."""
    return {**read_manual(path.with_name(UNLIKE_FILE)), **read_manual(path)}


def write_manual(path: Path, verdicts: Mapping[str, tuple[str, str]]) -> None:
    """Write all verdicts; none leave an empty file."""
    columns = {
        NAME: list(verdicts),
        VERDICT: [verdict for verdict, _ in verdicts.values()],
        WHY: [reason or "no reason given" for _, reason in verdicts.values()],
    }
    write_star(path, [StarTable.from_columns("manual", columns)] if verdicts else [])


def judge(
    name: str,
    figures: Mapping[str, float],
    thresholds: Sequence[Threshold],
    manual: Mapping[str, tuple[str, str]],
) -> tuple[str, str]:
    """("", "") for an accepted micrograph, else (kind, reason)."""
    verdict, why = manual.get(name, ("", ""))
    if verdict == REJECT:
        return MANUAL, why
    if verdict == UNLIKE_VERDICT:
        return UNLIKE, why
    if verdict == ACCEPT:
        return "", ""
    reason = complaints(thresholds, figures)
    return (THRESHOLD, reason) if reason else ("", "")


def select_by_thresholds(arguments: Arguments, context: RunContext) -> None:
    """The work of a Select job with thresholds: `micrographs.star` and `set_aside.star`."""
    star, table = read_list(arguments["--i"], "micrographs")
    try:
        thresholds = parse_thresholds(arguments["--thresholds"])
    except ValueError as error:
        raise JobFailed(str(error)) from error
    manual = read_verdicts(Path(arguments["--manual"])) if arguments["--manual"] else {}
    others = [_rows_by_name(arguments[flag]) for flag in ("--motion_list", "--pick_list")]
    rows = rows_of(table)
    aside: list[Row] = []
    kept = []
    for index, row in enumerate(rows):
        name = row["rlnMicrographName"]
        figures = figures_of_rows([row, *(some.get(name, {}) for some in others)])
        kind, reason = judge(name, figures, thresholds, manual)
        if kind:
            aside.append(aside_row(name, reason, kind, figures))
        else:
            kept.append(index)
    aside += _failures(arguments)
    write_star(context.directory / "micrographs.star", [star["optics"], table.take(kept)])
    _write_aside(context.directory / FILE_NAME, aside)
    context.say(f" {len(kept)} of {len(rows)} micrographs are accepted")
    if not kept:
        context.warn(f" WARNING: no micrograph is accepted; see {context.directory}/{FILE_NAME}")


def figures_of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Figures by short name from rows of the lists they stand in."""
    found: dict[str, float] = {}
    for row in rows:
        found = {**figures_of_row(row), **found}
    return found


def _rows_by_name(path: str) -> dict[str, Row]:
    """Rows of another list by micrograph; a coordinates file stands for the summary beside it."""
    if not path:
        return {}
    where = Path(path)
    if where.name.startswith("coords_suffix") or where.name == "autopick.star":
        where = where.with_name("summary.star")
    try:
        _, table = read_list(where, "micrographs", "")
    except NothingToDo:
        return {}
    return {row["rlnMicrographName"]: row for row in rows_of(table)}


def _failures(arguments: Arguments) -> list[Row]:
    """What the jobs before could not process."""
    found = []
    for flag in ("--motion_list", "--i", "--pick_list"):
        if arguments[flag]:
            for name, reason in SetAsideList.read(Path(arguments[flag]).parent).reasons():
                found.append(aside_row(name, reason, FAILURE))
    return found


def aside_row(name: str, reason: str, kind: str, figures: Mapping[str, float] = {}) -> Row:
    """A row of the selection's `set_aside.star`: why, of which kind, and the figures judged."""
    labels = {kind.key: kind.label for kind in KINDS}
    return {NAME: name, REASON: reason, KIND: kind} | {labels[key]: value for key, value in figures.items()}


def aside_table(rows: Sequence[Row]) -> StarTable:
    """The list of set-aside micrographs; -1 stands where a row has no figure."""
    return table_of("set_aside", rows, ABSENT)


def _write_aside(path: Path, rows: list[Row]) -> None:
    if rows:
        write_star(path, [aside_table(rows)])
    else:
        path.unlink(missing_ok=True)
