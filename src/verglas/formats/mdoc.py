"""SerialEM's `.mdoc`: what the microscope was set to for each image.

Global values stand above the first section; a section is `[ZValue = 3]` or `[FrameSet = 0]`. A movie's own
mdoc is `NAME.tif.mdoc` or `NAME.mdoc` beside it; one mdoc for many movies names each by `SubFramePath`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

_SECTION = re.compile(r"\[\s*(\w+)\s*=\s*(.*?)\s*\]\s*$")
_ITEM = re.compile(r"\s*([\w.]+)\s*=\s*(.*?)\s*$")


class UnreadableMdoc(ValueError):
    """An mdoc file that cannot be read: names file and line."""


@dataclass(frozen=True)
class MdocSection:
    """One `[ZValue = n]` or `[FrameSet = n]`; `values` as text by key, global ones behind."""

    kind: str
    number: str
    values: Mapping[str, str] = field(default_factory=dict)

    def number_of(self, key: str) -> float | None:
        """The first number of a value; None if it is missing or none."""
        try:
            return float(self.values[key].split()[0])
        except (KeyError, IndexError, ValueError):
            return None

    def numbers_of(self, key: str) -> tuple[float, ...]:
        try:
            return tuple(float(word) for word in self.values.get(key, "").split())
        except ValueError:
            return ()

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
    """Read a file. Raises UnreadableMdoc naming the line that is neither section nor value."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UnreadableMdoc(f"{path}: {error.strerror or error}") from error
    top: dict[str, str] = {}
    titles: list[str] = []
    found: list[tuple[str, str, dict[str, str]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        section = _SECTION.match(line)
        item = _ITEM.match(line)
        if section is not None and section[1] == "T":
            titles.append(section[2])
        elif section is not None:
            found.append((section[1], section[2], {}))
        elif item is not None:
            (found[-1][2] if found else top)[item[1]] = item[2]
        elif line.strip():
            raise UnreadableMdoc(
                f"{path}, line {number}: neither [Section = n] nor Key = value: {line[:60]!r}"
            )
    sections = tuple(MdocSection(kind, index, {**top, **own}) for kind, index, own in found)
    return Mdoc(str(path), top, tuple(titles), sections)


def mdoc_of_movie(movie: Path) -> Path | None:
    """The movie's own mdoc: `NAME.tif.mdoc` or `NAME.mdoc`; None if there is none."""
    for name in (f"{movie.name}.mdoc", f"{movie.stem}.mdoc"):
        if movie.with_name(name).is_file():
            return movie.with_name(name)
    return None
