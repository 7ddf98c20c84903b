"""The door that every name from outside passes before it becomes a path.

A file may be read for eyes if it lies in the project or in a directory that its owner registered, links
followed; if it is a regular file (a named pipe never ends, a device never fills); and if it is not larger
than what a page can make sense of.
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from verglas.formats.regular import NotAFile, regular
from verglas.formats.star import StarFile, read_star
from verglas.project.data_roots import data_roots
from verglas.project.project import Project

LONGEST_NAME = 4000  # bytes: less than Linux takes
LARGEST_TABLE = 400_000_000  # bytes of a STAR file that is read whole: a few million particles
MOST_ROWS = 8_000_000
LARGEST_TEXT = 4 << 20  # bytes of a note, a record, a small text
_LARGE = 32_000_000
SECRET = (".git", ".ssh", ".verglas")


class OutsideProject(PermissionError):
    """A path that leads out of the project and its registered data directories."""


class TooLarge(OSError):
    """A file that is larger than what is read for a page; the message says both sizes."""


def confined(project: Project, name: str) -> Path:
    """The real path of a name relative to the project root. Raises OutsideProject, FileNotFoundError.

    Links are followed, then the place they lead to must lie in the project or in a registered
    directory: a link inside the project proves nothing.
    """
    if not lies_inside(project, name):
        raise OutsideProject(
            f"{shown(name)} lies outside the project; its directory can be registered with: "
            "verglas new . --data-root DIR"
        )
    real = Path(os.path.realpath(project.root / name))
    if _is_secret(real, project):
        raise OutsideProject(f"{shown(name)} is not shown")
    try:
        os.stat(real)
    except OSError as error:
        raise FileNotFoundError(_why_not_there(name, error)) from None
    return real


def lies_inside(project: Project, name: str) -> bool:
    """Whether a name, links followed, leads into the project or a registered directory.

    It need not be there, and may hold wildcards. Raises OutsideProject for what is no path at all.
    """
    _check_text(name)
    if ".." in Path(name).parts:
        raise OutsideProject(f"{shown(name)} leads out of the project")
    real = Path(os.path.realpath(project.root / name))  # an absolute name stays absolute
    return any(_inside(real, root) for root in (_real_root(project), *data_roots(project)))


def regular_file(project: Project, name: str, most_bytes: int | None = None) -> Path:
    """The real path of a regular file. Raises OutsideProject, FileNotFoundError, NotAFile, TooLarge."""
    real = regular(confined(project, name), shown(name))
    size = real.stat().st_size
    if most_bytes is not None and size > most_bytes:
        raise TooLarge(
            f"{shown(name)} has {size / 1e6:,.0f} MB; the pages read files of at most "
            f"{most_bytes / 1e6:,.0f} MB: use verglas star on a terminal"
        )
    return real


def folder(project: Project, name: str) -> Path:
    """The real path of a directory. Raises OutsideProject, FileNotFoundError, NotAFile."""
    real = confined(project, name)
    if not real.is_dir():
        raise NotAFile(f"{shown(name)} is no directory")
    return real


_one_large = threading.Lock()  # memory for one, however many ask


def read_table(project: Project, name: str) -> StarFile:
    """A STAR file of the project through the door. Raises OSError, TooLarge, StarError."""
    path = regular_file(project, name, LARGEST_TABLE)
    if path.stat().st_size < _LARGE:
        return read_star(path)
    with _one_large:
        _check_rows(path, name)
        return read_star(path)


def _check_rows(path: Path, name: str) -> None:
    """Many short rows take far more memory than their bytes."""
    rows = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            rows += block.count(b"\n")
    if rows > MOST_ROWS:
        raise TooLarge(f"{shown(name)} has {rows:,} lines; the pages read at most {MOST_ROWS:,}")


def read_small_text(project: Project, name: str) -> str:
    """A small text through the door. Raises OutsideProject, FileNotFoundError, TooLarge."""
    path = regular_file(project, name, LARGEST_TEXT)
    return path.read_text(encoding="utf-8", errors="replace")


def file_if_any(project: Project, name: str) -> Path | None:
    """A regular file through the door; None for whatever else lies there, or nothing."""
    try:
        return regular_file(project, name)
    except OSError:
        return None


def shown(name: str) -> str:
    """A name as a message tells it: quoted, printable, cut where it is endless."""
    return repr(name if len(name) <= 120 else f"{name[:117]}...")


def _check_text(name: str) -> None:
    """Characters and length that no file of a project has."""
    if not name or any(ord(letter) < 32 or letter in "\\\x7f" for letter in name):
        raise OutsideProject(f"{shown(name)} is not a path inside the project")
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise OutsideProject(f"{shown(name)} is not a path inside the project") from None
    if length > LONGEST_NAME:
        raise OutsideProject(f"{shown(name)} has {length:,} bytes: paths have at most 4,000")


def _why_not_there(name: str, error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return f"{shown(name)}: no file has so long a name"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{shown(name)} does not exist"
    return f"{shown(name)}: {error.strerror}"


def _real_root(project: Project) -> Path:
    return Path(os.path.realpath(project.root))


def _inside(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _is_secret(path: Path, project: Project) -> bool:
    """Version control and our own records of processes are nobody's pictures."""
    root = _real_root(project)
    return _inside(path, root) and any(part in SECRET for part in path.relative_to(root).parts)
