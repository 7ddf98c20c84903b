"""SerialEM's `.mdoc`: what the microscope was set to for each image.

Global values stand above the first section; a section is `[ZValue = 3]` or `[FrameSet = 0]`. A movie's own
mdoc is `NAME.tif.mdoc` or `NAME.mdoc` beside it; one mdoc for many movies names each by `SubFramePath`.

Keys that nobody knows pass, and so do lines of other programs. A section that shows damage (characters no
text holds, one key with two values as behind a lost header) is left out and named in `problems`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

_SECTION = re.compile(r"\[\s*(\w+)\s*=\s*(.*?)\s*\]\s*$")
_ITEM = re.compile(r"\s*([^\s=\[][^=]*?)\s*=\s*(.*?)\s*$")
_OF_ONE_IMAGE = {
    "SubFramePath",
    "ImageShift",
    "StagePosition",
    "TiltAngle",
    "ExposureDose",
    "NumSubFrames",
    "FrameDosesAndNumber",
    "MinMaxMean",
    "Defocus",
    "TargetDefocus",
}
"""What no other section inherits."""
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")


class UnreadableMdoc(ValueError):
    """An mdoc file that cannot be read: names the file."""


@dataclass(frozen=True)
class MdocSection:
    """One `[ZValue = n]` or `[FrameSet = n]`; `values` as text by key, global ones behind."""

    kind: str
    number: str
    values: Mapping[str, str] = field(default_factory=dict)

    def number_of(self, key: str) -> float | None:
        """The first number of a value; None if it is missing or none."""
        return next(iter(self.numbers_of(key)), None)

    def numbers_of(self, key: str) -> tuple[float, ...]:
        """All numbers of a value; none if one of its words is none."""
        try:
            found = tuple(float(word) for word in self.values.get(key, "").split())
        except ValueError:
            return ()
        return found if all(map(math.isfinite, found)) else ()

    @property
    def movie(self) -> str:
        """Base name of the movie this section is about; paths are those of a Windows machine."""
        return PureWindowsPath(self.values.get("SubFramePath", "")).name

    @property
    def voltage_kv(self) -> float | None:
        return self.number_of("Voltage")

    @property
    def pixel_size_angst(self) -> float | None:
        """Of the image; of frames saved without binning it is smaller by `Binning`."""
        return self.number_of("PixelSpacing")

    @property
    def dose_e_a2(self) -> float | None:
        """Of the exposure; SerialEM writes 0 where it does not know."""
        return self.number_of("ExposureDose") or None

    @property
    def dose_per_frame_e_a2(self) -> float | None:
        """From `FrameDosesAndNumber` (pairs of dose and number of frames)."""
        pairs = self.numbers_of("FrameDosesAndNumber")
        return pairs[0] if len(pairs) >= 2 and pairs[0] > 0 else None

    @property
    def exposure_s(self) -> float | None:
        return self.number_of("ExposureTime")

    @property
    def frames(self) -> int | None:
        value = self.number_of("NumSubFrames")
        return int(value) if value else None

    @property
    def binning(self) -> float | None:
        return self.number_of("Binning")

    @property
    def image_shift(self) -> tuple[float, float] | None:
        """Image shift in µm: with beam compensation it tells the positions apart."""
        values = self.numbers_of("ImageShift")
        return (values[0], values[1]) if len(values) >= 2 else None

    @property
    def gain_name(self) -> str:
        return PureWindowsPath(self.values.get("GainReference", "")).name

    @property
    def defect_name(self) -> str:
        return PureWindowsPath(self.values.get("DefectFile", "")).name


@dataclass(frozen=True)
class Mdoc:
    """One file: global values, title lines, sections in order."""

    path: str
    values: Mapping[str, str]
    titles: tuple[str, ...]
    sections: tuple[MdocSection, ...]
    problems: tuple[str, ...] = ()  # file, line and what is wrong there

    def section_of(self, movie: str) -> MdocSection | None:
        """The section of a movie by its base name; the only one there is if it names none."""
        for section in self.sections:
            if section.movie and section.movie.lower() == movie.lower():
                return section
        if len(self.sections) == 1 and not self.sections[0].movie:
            return self.sections[0]
        if len(self.sections) == 1 and Path(self.path).name.lower().startswith(movie.lower()):
            return self.sections[0]
        return None


def read_mdoc(path: Path) -> Mdoc:
    """Read a file; what is wrong in it is in `problems`. Raises UnreadableMdoc if it cannot be read at all."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableMdoc(f"{path}: {error.strerror or error}") from error
    reader = _Reader(str(path))
    lines = data.decode("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and line.strip():
            reader.complain(number, f"the file ends in the middle of {line[:60]!r}: not taken")
        else:
            reader.take(number, line.removesuffix("\r"))
    return reader.result()


class _Reader:
    """Lines of a file, one after another."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.top: dict[str, str] = {}
        self.titles: list[str] = []
        self.found: list[tuple[str, str, dict[str, str]]] = []
        self.damaged: set[int] = set()  # places in `found`
        self.problems: list[str] = []

    def take(self, number: int, line: str) -> None:
        section = _SECTION.match(line)
        item = _ITEM.match(line)
        if section is not None and section[1] == "T":
            self.titles.append(section[2])
        elif line.lstrip().startswith("["):
            kind, index = (section[1], section[2]) if section is not None else ("", "")
            self.found.append((kind, index, {}))
            if section is None:
                self._damage(number, f"no [Section = n]: {line[:60]!r}")
        elif _NO_TEXT.search(line):
            self._damage(number, f"characters that no text holds: {line[:60]!r}")
        elif item is not None:
            self._item(number, item[1], item[2])
        elif line.strip():
            self.complain(number, f"neither [Section = n] nor Key = value: {line[:60]!r}")

    def complain(self, number: int, reason: str) -> None:
        self.problems.append(f"{self.path}, line {number}: {reason}")

    def result(self) -> Mdoc:
        sections = tuple(
            MdocSection(kind, index, {**self.top, **own})
            for place, (kind, index, own) in enumerate(self.found)
            if place not in self.damaged
        )
        return Mdoc(self.path, self.top, tuple(self.titles), sections, tuple(self.problems))

    def _item(self, number: int, key: str, value: str) -> None:
        if not self.found and key in _OF_ONE_IMAGE:
            self.complain(number, f"{key} above the first section: a section's header may be missing")
            return
        values = self.found[-1][2] if self.found else self.top
        if values.setdefault(key, value) != value:
            self._damage(number, f"a second value of {key}: a section's header may be missing")

    def _damage(self, number: int, reason: str) -> None:
        """Give up the section at hand; above the first one only the line is lost."""
        if self.found:
            self.damaged.add(len(self.found) - 1)
            reason += "; its section is left out"
        self.complain(number, reason)


def mdoc_of_movie(movie: Path) -> Path | None:
    """The movie's own mdoc: `NAME.tif.mdoc` or `NAME.mdoc`; None if there is none."""
    for name in (f"{movie.name}.mdoc", f"{movie.stem}.mdoc"):
        if movie.with_name(name).is_file():
            return movie.with_name(name)
    return None
