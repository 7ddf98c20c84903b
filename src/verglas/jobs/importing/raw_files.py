"""Which raw files there are, what the project calls them, and which are complete.

Raw data lives on another mount, is reached through links, and is often still being copied. A file gets a
name inside the project (its own path when it lies there, else a link under the Import job), unique
together with every output name derived from it. Only complete files are taken.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.movies import MovieInfo, UnreadableMovie, check_movie
from verglas.jobs.contract.set_aside import SetAside

UNFINISHED_PATTERNS = (".*", "*.part", "*.tmp", "*.filepart", "*.partial", "*.crdownload", "*~")
_UNFINISHED = re.compile("|".join(fnmatch.translate(each) for each in UNFINISHED_PATTERNS))
SETTLE_SECONDS = 1.0  # a file whose container announces no length must keep its size this long


@dataclass(frozen=True)
class RawFile:
    """A matched file: its name in the project and where it really lies."""

    name: str  # project-relative, what the STAR file says
    path: Path  # as matched; links not followed

    @property
    def output_root(self) -> str:
        """What the outputs made from it are called (extension off, dots to underscores)."""
        folder, _, base = self.name.rpartition("/")
        return f"{folder}/{base.rsplit('.', 1)[0].replace('.', '_')}"


def find_raw_files(wildcard: str, directory: Path) -> list[RawFile]:
    """All files matching a wildcard, sorted by name. `directory` is the Import job's own."""
    matches = (
        match
        for match in sorted(glob.glob(wildcard, recursive=True))
        if not is_unfinished_name(match.rpartition("/")[2]) and not os.path.isdir(match)
    )
    if _leads_outside(wildcard):
        return [raw_file(Path(match), wildcard, directory) for match in matches]
    return [RawFile(os.path.normpath(match), Path(match)) for match in matches]


def is_unfinished_name(base_name: str) -> bool:
    """Whether copy programs use such a name for a file they still write."""
    return _UNFINISHED.match(base_name) is not None


def _leads_outside(wildcard: str) -> bool:
    return os.path.isabs(wildcard) or ".." in Path(wildcard).parts


def raw_file(path: Path, wildcard: str, directory: Path) -> RawFile:
    """What a file that matches the wildcard is called in the project."""
    name = str(path)
    if _leads_outside(wildcard):
        name = _inside_name(path, fixed_folder(wildcard), directory)
    return RawFile(os.path.normpath(name), path)


def fixed_folder(wildcard: str) -> Path:
    """The folder part of a wildcard before its first special character."""
    fixed = []
    for part in Path(wildcard).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed) if fixed else Path()


def _inside_name(path: Path, base: Path, directory: Path) -> str:
    """A name for a file outside the project: under the Import job, unique in the project.

    The folder carries the job's number, so that files of one base name from two sources, and all
    outputs derived from them, never collide. Files that lie in the project after all keep their path.
    """
    project = Path.cwd()
    absolute = Path(os.path.abspath(path))
    if absolute.is_relative_to(project):
        return str(absolute.relative_to(project))
    folder = f"{os.path.abspath(base).rsplit('/', 1)[-1] or 'root'}_{directory.name[-3:]}"
    return str(directory / folder / path.relative_to(base))


def link_into_project(raw: RawFile) -> None:
    """Make the link a name under the Import job stands for (nothing to do for files inside)."""
    link = Path(raw.name)
    if link == raw.path or os.path.lexists(link):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.abspath(raw.path))


class CompletenessCheck:
    """Decides by content whether new files are complete; one short wait serves all of them."""

    def __init__(self, expected: MovieInfo | None) -> None:
        self.expected = expected

    def judge(self, files: list[RawFile]) -> Iterator[tuple[RawFile, MovieInfo | SetAside]]:
        """Yield each file with its info, or with the reason why it is not taken."""
        before = {raw.name: _size_and_time(raw.path) for raw in files}
        infos = {raw.name: self._read(raw) for raw in files}
        if any(isinstance(info, MovieInfo) and self._may_grow(info) for info in infos.values()):
            time.sleep(SETTLE_SECONDS)
        for raw in files:
            info = infos[raw.name]
            if before[raw.name] != _size_and_time(raw.path):
                info = SetAside("still growing: its size changed while it was looked at")
            if isinstance(info, MovieInfo):
                info = self._as_expected(info)
            yield raw, info

    def _read(self, raw: RawFile) -> MovieInfo | SetAside:
        if raw.path.is_symlink() and not raw.path.exists():
            return SetAside(
                f"dangling link: it points to {os.readlink(raw.path)}, which is missing"
            )
        try:
            return check_movie(raw.path)
        except UnreadableMovie as error:
            return SetAside(str(error))
        except OSError as error:
            return SetAside(f"cannot be read: {error.strerror or error}")

    def _may_grow(self, info: MovieInfo) -> bool:
        """Whether the container could be complete so far and still go on (TIFF, EER)."""
        same = self.expected is not None and self.expected.n_frames == info.n_frames
        return info.kind in ("tiff", "eer") and not same

    def _as_expected(self, info: MovieInfo) -> MovieInfo | SetAside:
        if self.expected is None:
            self.expected = info
            return info
        if info.shape_yx != self.expected.shape_yx:
            height, width = info.shape_yx
            expected_height, expected_width = self.expected.shape_yx
            return SetAside(
                f"wrong shape: {width} x {height} pixels, the first file has "
                f"{expected_width} x {expected_height}; import other shapes in a job of their own"
            )
        return info


def _size_and_time(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
