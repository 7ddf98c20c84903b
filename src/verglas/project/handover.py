"""Hand-over: a self-contained, relocatable folder for RELION or cryoSPARC.

Every name inside is relative to the folder, links are resolved to the files behind them, and `SHA256SUMS`
says what was copied. An interrupted copy goes on: a file whose sum is listed and whose size is right is not
copied again; one appears under its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.atomic import atomic_write, write_text
from verglas.formats.star import StarFile, StarTable, read_star, write_star

SUMS = "SHA256SUMS"
MOVIES, MICROGRAPHS, PARTICLES = "movies", "micrographs", "particles"
PARTS = (MOVIES, MICROGRAPHS, PARTICLES)
_FILE_COLUMNS = (
    "rlnMicrographMovieName",
    "rlnMicrographName",
    "rlnMicrographNameNoDW",
    "rlnMicrographMetadata",
    "rlnCtfImage",
    "rlnCtfPowerSpectrum",
    "rlnMicrographNameEven",
    "rlnMicrographNameOdd",
    "rlnMtfFileName",
    "rlnMicrographGainName",
    "rlnMicrographDefectFile",
    "rlnMicrographCoordinates",
)


@dataclass(frozen=True)
class Lists:
    """The lists to hand over, relative to the project; "" where there is none."""

    movies: str = ""
    micrographs: str = ""  # the accepted ones, with CTF
    motion: str = ""  # with per-movie metadata, for polishing
    particles: str = ""
    others: tuple[str, ...] = ()  # gain, defects, the report


@dataclass(frozen=True)
class HandedOver:
    """What lies in the folder now."""

    files: int
    bytes: int
    copied: int  # in this call
    missing: tuple[str, ...]


def hand_over(
    project: Path,
    target: Path,
    lists: Lists,
    parts: Iterable[str],
    *,
    for_cryosparc: bool = False,
    shown: Callable[[int, int], None] = lambda done, total: None,
) -> HandedOver:
    """Copy lists and the files they name. Raises LookupError if a wanted list does not exist.

    `missing` names files that the lists mention and that are not there: they are left out of no list.
    """
    wanted = set(parts)
    target.mkdir(parents=True, exist_ok=True)
    copy = _Copy(project, target)
    stars = _read_lists(project, lists, wanted)
    names = list(dict.fromkeys(_files_of(project, stars, wanted, lists.others)))
    for done, name in enumerate(names, 1):
        copy.file(name)
        shown(done, len(names))
    for name, star in stars.items():
        copy.list(name, star)
    if for_cryosparc:
        for name, star in stars.items():
            if "particles" in star:
                copy.cs(name, star)
    copy.finish()
    return HandedOver(len(copy.sums), copy.bytes, copy.copied, tuple(copy.missing))


def _read_lists(project: Path, lists: Lists, wanted: set[str]) -> dict[str, StarFile]:
    chosen = {
        MOVIES: (lists.movies,),
        MICROGRAPHS: (lists.micrographs, lists.motion),
        PARTICLES: (lists.particles,),
    }
    found: dict[str, StarFile] = {}
    for part in PARTS:
        if part not in wanted:
            continue
        for name in filter(None, chosen[part]):
            if not (project / name).exists():
                raise LookupError(f"{name} does not exist: there are no {part} to hand over")
            found[name] = read_star(project / name)
    if lists.motion in found and lists.micrographs in found:
        accepted = set(found[lists.micrographs]["micrographs"].strings("rlnMicrographName"))
        found[lists.motion] = _only(found[lists.motion], accepted)
    return found


def _only(star: StarFile, micrographs: set[str]) -> StarFile:
    """The motion list without micrographs that were set aside."""
    table = star["micrographs"]
    names = table.strings("rlnMicrographName")
    kept = table.take([row for row, name in enumerate(names) if name in micrographs])
    tables = {name: kept if name == "micrographs" else each for name, each in star.items()}
    return StarFile(tables)


def _files_of(
    project: Path, stars: dict[str, StarFile], wanted: set[str], others: Iterable[str]
) -> Iterator[str]:
    """Names of all files that the lists mention, of the kinds that were asked for."""
    yield from (name for name in others if name)
    for star in stars.values():
        for table in star.values():
            for label in table.labels:
                if label == "rlnImageName" and PARTICLES in wanted:
                    stacks = (text.rpartition("@")[2] for text in table.strings(label))
                    yield from dict.fromkeys(stacks)
                elif label in _FILE_COLUMNS and _is_wanted(label, wanted):
                    yield from (text.removesuffix(":mrc") for text in table.strings(label))
                if label == "rlnMicrographMetadata" and MICROGRAPHS in wanted:
                    yield from _gain_and_defects(project, table.strings(label)[:1])


def _gain_and_defects(project: Path, metadata: Iterable[str]) -> Iterator[str]:
    """Gain and defects as motion correction used them, from the metadata of the first movie."""
    for name in metadata:
        if not (project / name).exists():
            return
        star = read_star(project / name)
        general = star.get("general")
        for label in ("rlnMicrographGainName", "rlnMicrographDefectFile"):
            if general is not None and label in general:
                yield general.string(label)


def _is_wanted(label: str, wanted: set[str]) -> bool:
    if label == "rlnMicrographMovieName":
        return MOVIES in wanted
    return MICROGRAPHS in wanted or label == "rlnMtfFileName"


class _Copy:
    """Copies files of a project into a folder, under names inside it."""

    def __init__(self, project: Path, target: Path) -> None:
        self.project, self.target = project, target
        self.sums = read_sums(target)
        self.known = dict(self.sums)
        self.bytes, self.copied = 0, 0
        self.missing: list[str] = []

    def file(self, name: str) -> None:
        """Copy one file (what a link points to), unless it lies there complete."""
        source, inside = self.project / name, inner_name(name)
        if not source.is_file():
            self.missing.append(name)
            return
        if inside.endswith(".star"):  # metadata of a movie: names of movie and gain in it
            self.list(name, read_star(source))
            return
        target, size = self.target / inside, source.stat().st_size
        self.bytes += size
        if inside in self.known and target.is_file() and target.stat().st_size == size:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with open(source, "rb") as read, atomic_write(target) as out:
            while piece := read.read(1 << 22):
                digest.update(piece)
                out.write(piece)
        shutil.copystat(source, target)
        self._note(inside, digest.hexdigest())
        self.copied += 1

    def list(self, name: str, star: StarFile) -> None:
        """Write a list with names inside the folder."""
        tables = [_relocated(table) for table in star.values()]
        inside = inner_name(name)
        (self.target / inside).parent.mkdir(parents=True, exist_ok=True)
        write_star(self.target / inside, tables)
        self._note(inside, _sum_of(self.target / inside))

    def cs(self, name: str, star: StarFile) -> None:
        """The particles as cryoSPARC's dataset beside the list."""
        from verglas.formats.cryosparc import cs_from_tables, write_cs

        inside = f"{inner_name(name).removesuffix('.star')}.cs"
        write_cs(self.target / inside, cs_from_tables(star["optics"], _relocated(star["particles"])))
        self._note(inside, _sum_of(self.target / inside))

    def _note(self, inside: str, digest: str) -> None:
        """Remember a sum; appended at once, so that an interrupted copy goes on from here."""
        self.sums[inside] = digest
        with open(self.target / SUMS, "a", encoding="utf-8", errors="surrogateescape") as out:
            out.write(f"{digest}  {inside}\n")

    def finish(self) -> None:
        """One line per file, sorted: `sha256sum -c SHA256SUMS` checks the folder."""
        lines = [f"{digest}  {inside}\n" for inside, digest in sorted(self.sums.items())]
        write_text(self.target / SUMS, "".join(lines))


def read_sums(target: Path) -> dict[str, str]:
    """Sums of a folder by name; {} if there are none. The last line of a name counts."""
    try:
        text = (target / SUMS).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return {}
    pairs = (line.split("  ", 1) for line in text.split("\n") if len(line) > 66)
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def inner_name(name: str) -> str:
    """A project path as a path inside the folder; files from outside go to `external/`."""
    path = os.path.normpath(name)
    if os.path.isabs(path) or path.startswith(".."):
        return f"external/{path.lstrip('./')}"
    return path


def _relocated(table: StarTable) -> StarTable:
    changed = {}
    for label in table.labels:
        if label == "rlnImageName":
            changed[label] = [_relocated_image(text) for text in table.strings(label)]
        elif label in _FILE_COLUMNS:
            changed[label] = [inner_name(text) for text in table.strings(label)]
    return table.with_columns(changed) if changed else table


def _relocated_image(text: str) -> str:
    number, mark, stack = text.rpartition("@")
    return f"{number}{mark}{inner_name(stack)}"


def _sum_of(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
