"""Lists and maps of bad pixels, as one boolean mask in the orientation of the movie.

Three kinds of files, told apart by content:

* RELION and MotionCor text: one rectangle `x y width height` per line, counted from 0 in the rows as read;
* an image (MRC or TIFF) of the movie's shape: everything that is not zero is bad;
* SerialEM's text (`CameraSizeX 5760`, `BadColumns 10 11`, `PartialBadColumn 70 1 10 50`,
  `BadPixels 5 7 60 61`): rows counted from the top of the image, that is from the last row as read here; for
  super-resolution frames every camera pixel is two by two.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import read_mrc
from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.tiff_directory import is_tiff
from verglas.formats.tiff_pixels import read_tiff

Mask = npt.NDArray[np.bool_]


class UnreadableDefects(UnreadableImage):
    """A defect file that cannot be used: names the file, the line, and what was expected."""


def read_defects(path: str | os.PathLike[str], shape_yx: tuple[int, int]) -> Mask:  # (y, x)
    """The bad pixels of frames of this shape (True is bad).

    Raises UnreadableDefects for lines that make no sense, rectangles outside the frame, or a map of another
    shape.
    """
    name = os.fspath(path)
    with open(name, "rb") as handle:
        head = handle.read(4096)
    if is_tiff(head):
        return _from_map(name, read_tiff(name), shape_yx)
    if b"\0" in head:
        return _from_map(name, read_mrc(name, None).data, shape_yx)
    with open(name, encoding="latin-1") as text:
        lines = [
            _Line(name, number, words)
            for number, line in enumerate(text, 1)
            if (words := line.split("#", 1)[0].split())
        ]
    if any(line.words[0].lower() == "camerasizex" for line in lines):
        return _from_serialem(name, lines, shape_yx)
    return _from_rectangles(lines, shape_yx)


@dataclass(frozen=True, slots=True)
class _Line:
    path: str
    number: int
    words: list[str]

    def integers(self, skip: int = 0) -> list[int]:
        try:
            return [int(word) for word in self.words[skip:]]
        except ValueError:
            raise self.error("expected whole numbers") from None

    def error(self, why: str) -> UnreadableDefects:
        return UnreadableDefects(self.path, f"line {self.number}: {why}, found {' '.join(self.words)!r}")


def _from_map(name: str, image: npt.NDArray[Any], shape_yx: tuple[int, int]) -> Mask:
    if image.shape != shape_yx:
        rotated = image.ndim == 2 and image.shape[::-1] == shape_yx
        raise UnreadableDefects(
            name,
            f"the defect map has shape {image.shape} (y, x), the movie frames {shape_yx}"
            + ("; it seems to be turned by 90 degrees" if rotated else ""),
        )
    return np.ascontiguousarray(image != 0)


def _from_rectangles(lines: list[_Line], shape_yx: tuple[int, int]) -> Mask:
    mask = np.zeros(shape_yx, np.bool_)
    for line in lines:
        numbers = line.integers()
        if len(numbers) != 4:
            raise line.error("expected a rectangle: x y width height")
        x, y, width, height = numbers
        inside = x >= 0 and y >= 0 and x + width <= shape_yx[1] and y + height <= shape_yx[0]
        if width < 1 or height < 1 or not inside:
            raise line.error(f"the rectangle leaves the frame of {shape_yx[1]} x {shape_yx[0]}")
        mask[y : y + height, x : x + width] = True
    return mask


def _from_serialem(name: str, lines: list[_Line], shape_yx: tuple[int, int]) -> Mask:
    sizes = {line.words[0].lower(): line.integers(1) for line in lines if _is_size(line)}
    camera = (sizes.get("camerasizey", [0])[0], sizes.get("camerasizex", [0])[0])
    times = shape_yx[0] // camera[0] if camera[0] else 0
    if times not in (1, 2) or (camera[0] * times, camera[1] * times) != shape_yx:
        raise UnreadableDefects(
            name,
            f"defects are for a camera of {camera[1]} x {camera[0]} pixels, the movie frames are"
            f" {shape_yx[1]} x {shape_yx[0]}",
        )
    mask = np.zeros(camera, np.bool_)
    for line in lines:
        _mark(mask, line)
    if times == 2:
        mask = mask.repeat(2, axis=0).repeat(2, axis=1)
    return mask[::-1].copy()


def _is_size(line: _Line) -> bool:
    return line.words[0].lower() in ("camerasizex", "camerasizey") and len(line.words) == 2


def _mark(mask: Mask, line: _Line) -> None:
    """Mark what one line of a SerialEM file says, rows from the top; other keywords are passed over."""
    height, width = mask.shape
    match line.words[0].lower():
        case "badcolumns":
            for x in line.integers(1):
                _mark_box(mask, line, x, x, 0, height - 1)
        case "badrows":
            for y in line.integers(1):
                _mark_box(mask, line, 0, width - 1, y, y)
        case "badpixels":
            numbers = line.integers(1)
            if len(numbers) % 2:
                raise line.error("expected pairs of x and y")
            for x, y in zip(numbers[::2], numbers[1::2]):
                _mark_box(mask, line, x, x, y, y)
        case "partialbadcolumn":
            x, n, first, last = _four(line)
            _mark_box(mask, line, x, x + n - 1, first, last)
        case "partialbadrow":
            y, n, first, last = _four(line)
            _mark_box(mask, line, first, last, y, y + n - 1)
        case "usablearea":
            _mark_unusable(mask, line)


def _mark_unusable(mask: Mask, line: _Line) -> None:
    top, left, bottom, right = _four(line)
    if bottom <= top or right <= left:  # all zeros: the whole camera
        return
    mask[:top] = True
    mask[bottom + 1 :] = True
    mask[:, :left] = True
    mask[:, right + 1 :] = True


def _four(line: _Line) -> list[int]:
    numbers = line.integers(1)
    if len(numbers) != 4:
        raise line.error("expected four numbers")
    return numbers


def _mark_box(mask: Mask, line: _Line, left: int, right: int, top: int, bottom: int) -> None:
    """Mark columns left to right of rows top to bottom, all included."""
    if not (0 <= left <= right < mask.shape[1] and 0 <= top <= bottom < mask.shape[0]):
        raise line.error(f"outside the camera of {mask.shape[1]} x {mask.shape[0]}")
    mask[top : bottom + 1, left : right + 1] = True
