"""All images of a STAR file as input of `verglas image`, and the STAR file that names the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verglas.formats.stack import image_name, parse_image_name
from verglas.formats.star import StarFile, StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.tables import read_items, rows_of

_LABELS = ("rlnImageName", "rlnReferenceImage", "rlnMicrographName", "rlnMicrographMovieName")
_PIXEL_OF = {
    "rlnImageName": "rlnImagePixelSize",
    "rlnReferenceImage": "rlnPixelSize",
    "rlnMicrographName": "rlnMicrographPixelSize",
}


@dataclass(frozen=True)
class ImageList:
    """Images of a list, grouped by file in order of first appearance."""

    path: str
    star: StarFile
    table: StarTable
    label: str
    images: dict[str, list[int | None]]  # file -> indices within it, None for a whole file

    @classmethod
    def read(cls, path: str) -> ImageList:
        """Raises JobFailed if no column names images."""
        star, table = read_items(path)
        label = next((label for label in _LABELS if label in table), None)
        if label is None:
            raise JobFailed(f"{path} names no images: none of {', '.join(_LABELS)} is there")
        images: dict[str, list[int | None]] = {}
        for name in dict.fromkeys(table.strings(label)):
            file, index = parse_image_name(name)
            images.setdefault(file, []).append(index)
        return cls(path, star, table, label, images)

    def sources(self) -> list[tuple[str, list[int] | None]]:
        """(file, indices or None for the whole file)."""
        found: list[tuple[str, list[int] | None]] = []
        for file, indices in self.images.items():
            numbers = [index for index in indices if index is not None]
            found.append((file, numbers or None))
        return found

    def targets(self, inserted: str) -> list[str]:
        """Where each file's result goes: the text put before the extension after a `_`."""
        if "/" in inserted or inserted.endswith((".mrc", ".mrcs", ".star")):
            raise JobFailed(
                f"for a STAR file --o is inserted before each extension: give a word, not {inserted}"
            )
        return [_inserted(file, inserted) for file in self.images]

    def write(self, inserted: str, pixels_angst: list[float], boxes: list[int]) -> str:
        """The list with the new names, pixel size and box size; its path.

        Images keep their order within a file and are numbered anew: a list of a few images of a stack
        makes a stack of these few.
        """
        named: dict[str, str] = {}
        for file, indices in self.images.items():
            target = _inserted(file, inserted)
            for position, index in enumerate(indices):
                old = file if index is None else image_name(file, index)
                named[old] = target if index is None else image_name(target, position)
        names = [named[_normal(name)] for name in self.table.strings(self.label)]
        table = self.table.with_columns({self.label: names})
        tables = [table if other.name == table.name else other for other in self.star.values()]
        if len(set(pixels_angst)) == 1 and len(set(boxes)) == 1:
            tables = [self._renewed(other, pixels_angst[0], boxes[0]) for other in tables]
        output = _inserted(self.path, inserted)
        write_star(output, tables)
        return output

    def _renewed(self, table: StarTable, pixel_angst: float, box: int) -> StarTable:
        """The optics table with the pixel and box size of what was written."""
        if table.name != "optics":
            return table
        rows: list[dict[str, Any]] = rows_of(table)
        for row in rows:
            pixel = _PIXEL_OF.get(self.label)
            if pixel in row and pixel_angst > 0:
                row[pixel] = pixel_angst
            if self.label == "rlnImageName" and "rlnImageSize" in row:
                row["rlnImageSize"] = box
        return optics_table(rows)


def _inserted(path: str, text: str) -> str:
    name = Path(path)
    return str(name.with_name(f"{name.stem}_{text}{name.suffix}"))


def _normal(name: str) -> str:
    file, index = parse_image_name(name)
    return file if index is None else image_name(file, index)
