"""All coordinates of one file, as some program wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from verglas.formats.star import StarTable
from verglas.formats.star.tokens import parse_float

_PATH = re.compile(r"/|\.(mrcs?|tiff?|eer)$")
X, Y, FOM = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"


class UnreadableCoordinates(ValueError):
    """A coordinate file cannot be understood; the message names file, line and expectation."""


@dataclass(frozen=True, eq=False)
class PickList:
    """The rows of a file, and whose they are."""

    table: StarTable  # X, Y and what else there is
    names: Sequence[str] | None = None  # of the micrograph of each row, as the file has it
    unit: Literal["pixels", "fractions", "from the top"] = "pixels"
    shapes_yx: Sequence[tuple[int, int]] | None = None  # of each row's micrograph, for fractions
    notes: tuple[str, ...] = ()  # what looked odd, though nothing was lost for certain


def pick_table(columns: Mapping[str, Any]) -> StarTable:
    return StarTable.from_columns("", columns)


def text_of(path: Path) -> str:
    """The text of a file without a byte-order mark."""
    return path.read_bytes().decode("utf-8-sig", "surrogateescape")


def whole_text_of(path: Path) -> str:
    """The same of a file of lines. Raises UnreadableCoordinates where the last has no end."""
    text = text_of(path)
    check_end(path, text)
    return text


def check_end(path: Path, text: str) -> None:
    """A number that was cut is a number: 438 of 438.269. Only the missing line end tells."""
    last = text[-1:]
    if last and last not in "\r\n":
        count = text.count("\n") + 1
        raise UnreadableCoordinates(
            f"{path}, line {count}: the file ends in the middle of {text.splitlines()[-1][:60]!r}; "
            "if that line is whole, end it"
        )


def check_no_names(path: Path, heading: str, values: Iterable[str]) -> None:
    """A column that nobody knows but that holds paths may say whose rows these are: not passed over."""
    one = next((each for each in values if _PATH.search(each)), None)
    if one is not None:
        raise UnreadableCoordinates(
            f"{path}: column {heading!r} holds names ({one}): call it micrograph_name, or take it out"
        )


def numbers(path: Path, line: int, words: Sequence[str]) -> list[float]:
    """Words as numbers. Raises UnreadableCoordinates naming the line."""
    try:
        return [parse_float(word) for word in words]
    except ValueError as error:
        raise UnreadableCoordinates(f"{path}, line {line}: {error}") from None


def is_number(word: str) -> bool:
    try:
        parse_float(word)
    except ValueError:
        return False
    return True
