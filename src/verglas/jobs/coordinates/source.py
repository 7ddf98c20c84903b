"""Where the coordinates of each micrograph lie: a suffix, a list of files, or one file for all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.star import StarError, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.tables import after_job

PREFIX = "coords_suffix"
BESIDE_MICROGRAPHS = "ASINPUT"


@dataclass(frozen=True)
class CoordinateSource:
    """Finds the coordinate file of a micrograph (pipeline.md §5.5)."""

    directory: str = ""  # with `suffix`: where the files are
    suffix: str = ""
    files: dict[str, Path] | None = None  # list of RELION 4 and 5
    single: Path | None = None  # one file with the coordinates of all

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
        return cls(files={name: Path(file) for name, file in zip(names, paths)})

    def path_of(self, micrograph: str) -> Path | None:
        """The coordinate file of a micrograph; None if the list has none for it. It may not exist."""
        if self.single is not None:
            return self.single
        if self.files is not None:
            return self.files.get(micrograph)
        if self.directory == BESIDE_MICROGRAPHS:
            return Path(micrograph.rsplit(".", 1)[0] + self.suffix)
        post = after_job(micrograph).rsplit(".", 1)[0]
        return Path(os.path.join(self.directory, f"{post}{self.suffix}"))


def flags_of(coordinates: str) -> list[str]:
    """The form's field as program flags: a suffix file by its name, anything else as a list."""
    folder, _, base = coordinates.rpartition("/")
    if base.startswith(PREFIX):
        directory = f"{folder}/" if folder else "./"
        return ["--coord_dir", directory, "--coord_suffix", base.removeprefix(PREFIX)]
    return ["--coord_list", coordinates]
