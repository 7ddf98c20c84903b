"""Only regular files are read: a named pipe never ends, a device never fills, a directory is no text."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotAFile(FileNotFoundError):
    """Something is there, but no regular file: a directory, a named pipe, a device."""


def regular(path: str | os.PathLike[str], shown: str = "") -> Path:
    """The path itself if a regular file lies there, links followed; `shown` is what messages call it.

    Raises NotAFile, and OSError where nothing is there. Opening a pipe would wait for ever; asking what
    it is does not.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise NotAFile(f"{shown or os.fspath(path)} is {kind}")
    return Path(path)
