"""Where the coordinates of each micrograph lie: a suffix, a list of files, or one file for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verglas.formats.star import StarError, StarTable, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph, MicrographNames
from verglas.jobs.contract.tables import after_job
from verglas.jobs.coordinates.reading import names_in, read_coordinates

PREFIX = "coords_suffix"
BESIDE_MICROGRAPHS = "ASINPUT"
_IMPORTS = "Import/job"


@dataclass(frozen=True)
class CoordinateSource:
    """Finds the coordinate file of a micrograph (pipeline.md §5.5)."""

    directory: str = ""  # with `suffix`: where the files are
    suffix: str = ""
    files: dict[str, Path] | None = None  # list of RELION 4 and 5
    listed_in: Path | None = None  # which file that is
    single: Path | None = None  # one file with the coordinates of all
    placed: dict[str, Path] | None = None  # imported files that lie in folders of their own
    named: dict[str, str] | None = None  # what `files` or `single` call each micrograph

    @classmethod
    def of_suffix(cls, directory: str, suffix: str) -> CoordinateSource:
        """`--coord_dir` and `--coord_suffix`."""
        return cls(directory=directory, suffix=suffix)

    @classmethod
    def of_list(cls, path: str) -> CoordinateSource:
        """`--coord_list`: a `coordinate_files` table, or a file that holds all coordinates itself.

        Raises NothingToDo while it is missing, JobFailed where it cannot be read.
        """
        if not Path(path).exists():
            raise NothingToDo(f"{path} does not exist yet")
        if not path.endswith(".star"):
            return cls(single=Path(path))
        try:
            star = read_star(path)
        except StarError as error:
            raise JobFailed(str(error)) from error
        table = star.get("coordinate_files")
        if table is None:
            if not len(star):
                raise NothingToDo(f"{path} lists nothing yet")
            return cls(single=Path(path))
        names = table.strings("rlnMicrographName")
        paths = table.strings("rlnMicrographCoordinates")
        files = {name: Path(file) for name, file in zip(names, paths)}
        return cls(files=files, listed_in=Path(path))

    def of_micrographs(self, micrographs: Sequence[str], warn: Callable[[str], None]) -> CoordinateSource:
        """The same source, knowing which of its names mean which of these micrographs.

        Raises JobFailed where none does, where a name may mean two, and for one file without names if there
        are several micrographs; tells of names that mean none.
        """
        if self.single is None and self.files is None:
            return self._imported(micrographs)
        where = self.single or self.listed_in
        try:
            names = names_in(self.single) if self.single is not None else list(self.files or ())
            if where is None or names == []:
                return self
            if names is None:
                _check_single(where, micrographs)
                return self
            found = MicrographNames(micrographs).matched(names)
        except ValueError as error:
            raise JobFailed(str(error)) from error
        if not found.names:
            some = ", ".join(names[:2])
            raise JobFailed(
                f"{where} lists coordinates on {len(names)} micrographs ({some}, ...), none of them is "
                f"among the {len(micrographs)} of the list, which begins with {micrographs[0]}"
            )
        if found.strangers:
            warn(f" WARNING: {found.said(str(where), 'the list')}: left out")
        return replace(self, named=dict(found.names))

    def _imported(self, micrographs: Sequence[str]) -> CoordinateSource:
        """Files that came from outside have folders of their own: they are found as names are."""
        if not self.directory.startswith(_IMPORTS):
            return self
        missing = [name for name in micrographs if not self._beside(name).exists()]
        there = _files_below(self.directory, self.suffix) if missing else {}
        try:
            found = MicrographNames(micrographs).matched(there)
        except AmbiguousMicrograph as error:
            raise JobFailed(f"{self.directory}: {error}") from error
        placed = {name: there[found.names[name]] for name in missing if name in found.names}
        return replace(self, placed=placed)

    def read(
        self,
        micrograph: str,
        shape_yx: tuple[int, int] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> StarTable | None:
        """The coordinates of a micrograph; None if there are none. Raises UnreadableCoordinates."""
        path = self.path_of(micrograph)
        if path is None:
            return None
        named = self.named[micrograph] if self.single and self.named is not None else None
        return read_coordinates(path, micrograph, shape_yx, named, warn)

    def path_of(self, micrograph: str) -> Path | None:
        """The coordinate file of a micrograph; None if the list has none for it. It may not exist."""
        name = micrograph if self.named is None else self.named.get(micrograph)
        if self.single is not None:
            return None if name is None else self.single
        if self.files is not None:
            return self.files.get(name or "")
        return (self.placed or {}).get(micrograph) or self._beside(micrograph)

    def _beside(self, micrograph: str) -> Path:
        """Where the suffix says that a micrograph's file is."""
        if self.directory == BESIDE_MICROGRAPHS:
            return Path(micrograph.rsplit(".", 1)[0] + self.suffix)
        post = after_job(micrograph).rsplit(".", 1)[0]
        return Path(os.path.join(self.directory, f"{post}{self.suffix}"))


def _files_below(directory: str, suffix: str) -> dict[str, Path]:
    """Coordinate files of an Import job, by their names without the suffix."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(suffix) and not name.startswith(PREFIX):
                found[path.removesuffix(suffix)] = Path(path)
    return found


def _check_single(path: Path, micrographs: Sequence[str]) -> None:
    if len(micrographs) > 1:
        raise JobFailed(
            f"{path} does not say on which micrograph its coordinates are, and the list has "
            f"{len(micrographs)}: give a file with a column of names (rlnMicrographName, micrograph_name), "
            "or one file per micrograph"
        )


def flags_of(coordinates: str) -> list[str]:
    """The form's field as program flags: a suffix file by its name, anything else as a list."""
    folder, _, base = coordinates.rpartition("/")
    if base.startswith(PREFIX):
        directory = f"{folder}/" if folder else "./"
        return ["--coord_dir", directory, "--coord_suffix", base.removeprefix(PREFIX)]
    return ["--coord_list", coordinates]
