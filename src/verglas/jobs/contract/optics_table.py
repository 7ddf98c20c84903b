"""Optics groups of several files in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verglas.formats.star import StarTable
from verglas.formats.star.neutral import neutral
from verglas.formats.star.tokens import format_vector, parse_vector
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import table_of

_WITHOUT_EFFECT = (
    "rlnMagMat00",
    "rlnMagMat01",
    "rlnMagMat10",
    "rlnMagMat11",
    "rlnMtfFileName",
    "rlnBeamTiltX",
    "rlnBeamTiltY",
    "rlnCtfDataAreCtfPremultiplied",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnPhaseShift",
    "rlnBeamTiltClass",
)
_PARTNERS = {
    "rlnMicrographOriginalPixelSize": ("rlnMicrographPixelSize", "rlnImagePixelSize"),
    "rlnMtfOriginalPixelSize": ("rlnMicrographOriginalPixelSize",),
}


def optics_table(rows: Sequence[Mapping[str, Any]], files: Sequence[str] = ()) -> StarTable:
    """Table `optics` from rows that need not have the same columns; `files` says where each is from.

    What a row lacks becomes the value that changes nothing (identity, zero vector, no file, its partner's
    value). Raises JobFailed naming column and files where there is no such value: no group has 0 Å pixels.
    """
    labels = list(dict.fromkeys(label for row in rows for label in row))
    full = [{label: _value(label, number, rows, files) for label in labels} for number in range(len(rows))]
    return table_of("optics", full)


def _value(label: str, number: int, rows: Sequence[Mapping[str, Any]], files: Sequence[str]) -> Any:
    row = rows[number]
    if label in row:
        return row[label]
    there = next(at for at, other in enumerate(rows) if label in other)
    if label in _WITHOUT_EFFECT:
        return neutral(label)
    if label.endswith("Zernike"):
        return format_vector([0.0] * len(parse_vector(str(rows[there][label]))))
    partner = next((each for each in _PARTNERS.get(label, ()) if each in row), None)
    if partner is not None:
        return row[partner]
    raise JobFailed(
        f"optics column {label} is {_place(there, rows, files)}, not {_place(number, rows, files)}, and "
        "nothing can stand for it: add it there, or take it out here"
    )


def _place(number: int, rows: Sequence[Mapping[str, Any]], files: Sequence[str]) -> str:
    group = rows[number].get("rlnOpticsGroupName", rows[number].get("rlnOpticsGroup", number + 1))
    return f"in group {group}{f' of {files[number]}' if files else ''}"
