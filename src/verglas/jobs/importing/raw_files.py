"""Which raw files there are, and what the project calls them.

Raw data lives on another mount, is reached through links, and is often still being copied. A file gets a
name inside the project (its own path when it lies there, else a link under the Import job), unique
together with every output name derived from it.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

UNFINISHED_PATTERNS = (".*", "*.part", "*.tmp", "*.filepart", "*.partial", "*.crdownload", "*~")
_UNFINISHED = re.compile("|".join(fnmatch.translate(each) for each in UNFINISHED_PATTERNS))
_NOT_IN_A_LIST = re.compile(r"[\x00-\x1f\x7f]")  # line ends among them: one value is one word of a row


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

    @property
    def unwritable(self) -> str:
        """Why no list can hold the name; empty if it can."""
        if _NOT_IN_A_LIST.search(self.name):
            return "its name holds line ends or control characters, which no list can: rename it"
        try:
            self.name.encode("utf-8")
        except UnicodeEncodeError:
            return "its name is not UTF-8, as the names in lists, pages and logs are: rename it"
        return ""


def matching(wildcard: str) -> list[str]:
    """Paths that match, in order; brackets that are part of a name that exists are no wildcard."""
    literal = _literal(wildcard)
    found = sorted(glob.glob(literal, recursive=True))
    if not found and "[" in wildcard:
        found = sorted(glob.glob(wildcard.replace("[", "[[]"), recursive=True))
    return found


def _literal(wildcard: str) -> str:
    """The wildcard with those parts escaped that exist as they stand."""
    if os.path.lexists(wildcard):
        return glob.escape(wildcard)
    parts = wildcard.split("/")
    for depth, part in enumerate(parts):
        if glob.has_magic(part) and not os.path.lexists("/".join(parts[: depth + 1])):
            return "/".join([*map(glob.escape, parts[:depth]), *parts[depth:]])
    return wildcard


def find_raw_files(wildcard: str, directory: Path) -> list[RawFile]:
    """All files matching a wildcard, sorted by name. `directory` is the Import job's own."""
    matches = (
        match
        for match in matching(wildcard)
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
    fixed = Path()
    for part in Path(wildcard).parts[:-1]:
        if glob.has_magic(part) and not os.path.lexists(fixed / part):
            break
        fixed /= part
    return fixed


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
