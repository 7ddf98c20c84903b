"""The only way anything is written: a reader never sees half a file.

A file is written under a temporary name in the same directory, flushed to the disc, renamed over the
final name, and the directory entry is flushed too. After a crash the old file or the new one is there,
complete; a leftover temporary file is recognised by its name and never taken for data.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

TEMPORARY_PREFIX = ".verglas-"
TEMPORARY_SUFFIX = ".tmp"


_OF_THE_DISC = {errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO, errno.EROFS}


class OutputFailed(OSError):
    """Nothing can be written at present: the disc is full, gone or broken. Not what was worked on."""


def is_output_failure(error: BaseException) -> bool:
    """Whether an error, or one that led to it, is of the disc that is written to.

    A full disc is one wherever it shows; a disc that fails may also be that of an input.
    """
    cause: BaseException | None = error
    while cause is not None:
        full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or isinstance(cause, OutputFailed):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], mode: str = "wb", *, durable: bool = True, private: bool = False
) -> Iterator[IO[Any]]:
    """Open a file that appears under `path` only if the block ends without an error.

    `mode` is "wb" or "w" (UTF-8, file names of other bytes as they are, newline untouched). With
    `durable` (default) file and directory are flushed to the disc before returning; leave it out only for
    files that can be made again at once.
    A `private` file is its owner's alone from its first byte on, whatever the umask.
    Raises OutputFailed (with the final name in it) when the disc is full or gone; the old file stays.
    """
    final = Path(path)
    temporary = temporary_name(final)
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    try:
        opener = _open_private if private else None
        with open(temporary, mode, opener=opener, **text) as handle:  # type: ignore[call-overload]
            yield handle
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        os.replace(temporary, final)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            kind = OutputFailed if error.errno in _OF_THE_DISC else type(error)
            raise kind(error.errno, error.strerror, str(final)) from error
        raise
    if durable:
        sync_directory(final.parent)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def temporary_name(final: Path) -> Path:
    """A name beside `final` that no program takes for data and no other process uses."""
    return final.with_name(f"{TEMPORARY_PREFIX}{os.urandom(6).hex()}{TEMPORARY_SUFFIX}")


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Whether this is one of our unfinished files (left by a crash; safe to delete)."""
    name = Path(path).name
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def write_text(
    path: str | os.PathLike[str], text: str, *, durable: bool = True, private: bool = False
) -> None:
    """Write a whole small text file atomically."""
    with atomic_write(path, "w", durable=durable, private=private) as out:
        out.write(text)


def sync_directory(directory: Path) -> None:
    """Flush a directory entry (a no-op on file systems that cannot)."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
