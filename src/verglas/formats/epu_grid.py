"""Where on the grid EPU took a movie: grid square and hole from its name, their places from EPU's metadata.

A movie lies in `Images-Disc1/GridSquare_9/Data/FoilHole_1_Data_2_3_..._fractions.tiff`; what EPU knows of the
square's holes is in `Metadata/GridSquare_9.dm` beside `Images-Disc1`: for each target its number and its
centre in the picture of the square.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from verglas.formats.epu import parse_xml

SQUARE = re.compile(r"GridSquare_(\d+)")
HOLE = re.compile(r"FoilHole_(\d+)_")
Point = tuple[float, float]


@dataclass(frozen=True)
class EpuSquare:
    """One grid square: where it lies on the grid, and its holes by number."""

    stage_um: Point | None = None  # x, y of the stage
    holes: dict[str, Point] = field(default_factory=dict)  # centre in the square's picture, pixels


def square_and_hole(movie: Path) -> tuple[str, str] | None:
    """Numbers of grid square and hole in the path of a movie; None if it has not EPU's names."""
    hole = HOLE.search(movie.name)
    squares = [found[1] for part in movie.parts[:-1] if (found := SQUARE.fullmatch(part))]
    return (squares[-1], hole[1]) if hole and squares else None


def square_file(movie: Path) -> Path | None:
    """The metadata file of the square a movie is in; None where EPU left none."""
    for folder in movie.parents:
        if SQUARE.fullmatch(folder.name):
            found = folder.parent.parent / "Metadata" / f"{folder.name}.dm"
            return found if found.is_file() else None
    return None


def read_epu_square(path: Path) -> EpuSquare:
    """`GridSquare_N.dm`. Raises UnreadableEpu."""
    root = parse_xml(path)
    holes: dict[str, Point] = {}
    for pair in root.iter():
        if _local(pair).startswith("KeyValuePairOfintTargetLocation"):
            value = _child(pair, "value")
            number = _text(_child(value, "Id")) or _text(_child(pair, "key"))
            centre = _point(_child(value, "PixelCenter"))
            if number and centre is not None:
                holes[number] = centre
    metres = _point(_child(root, "Position"))
    return EpuSquare((metres[0] * 1e6, metres[1] * 1e6) if metres is not None else None, holes)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].removeprefix("_")


def _child(element: ElementTree.Element | None, name: str) -> ElementTree.Element | None:
    if element is None:
        return None
    return next((each for each in element if _local(each).lower() == name.lower()), None)


def _text(element: ElementTree.Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _point(element: ElementTree.Element | None) -> Point | None:
    """x and y (or X and Y) of an element."""
    try:
        return float(_text(_child(element, "x"))), float(_text(_child(element, "y")))
    except ValueError:
        return None
