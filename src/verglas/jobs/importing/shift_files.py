"""Beam shifts of a whole session, from the XML (EPU) and mdoc (SerialEM) files below a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from verglas.formats.epu import UnreadableEpu, read_epu_image
from verglas.formats.mdoc import UnreadableMdoc, read_mdoc

Shift = tuple[float, float]


@dataclass
class ShiftFiles:
    """Shifts by the path that names their image (from the folder on), and what could not be read."""

    shifts: dict[str, Shift] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def below(cls, folder: Path) -> ShiftFiles:
        """All files of a folder, at any depth."""
        found = cls()
        base = Path(folder.absolute().name)
        for path in sorted(folder.rglob("*.xml")):
            found._add_epu(path, base / path.relative_to(folder))
        for path in sorted(folder.rglob("*.mdoc")):
            found._add_mdoc(path, base / path.relative_to(folder))
        return found

    def _add_epu(self, path: Path, name: Path) -> None:
        try:
            shift = read_epu_image(path).beam_shift
        except UnreadableEpu as error:
            self.problems.append(str(error))
            return
        if shift is not None:
            self.shifts[str(name)] = shift

    def _add_mdoc(self, path: Path, name: Path) -> None:
        try:
            mdoc = read_mdoc(path)
        except UnreadableMdoc as error:
            self.problems.append(str(error))
            return
        self.problems.extend(mdoc.problems)
        for section in mdoc.sections:
            if section.image_shift is not None:
                image = section.movie or name.name.removesuffix(".mdoc")
                self.shifts[str(name.with_name(image))] = section.image_shift
