"""A copy of the particle images on a fast local disc (`--scratch_dir`, pipeline.md §6.2).

Images are copied in the order of the list, in pieces, until the space that is to stay free would be touched;
the others are read from their own place. Every run has a folder of its own, so that two runs may share a
scratch disc, and holds a lock in it: what a dead run left is recognised by its free lock and removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from verglas.formats.atomic import write_text
from verglas.formats.stack_writer import StackWriter
from verglas.jobs.refine.images.stacks import Ints, StackSource, free_bytes, split_name

FOLDER = "verglas_volatile"
PIECE_BYTES = 256 << 20
_LOCK, _MANIFEST, _KEPT = "owner.lock", "manifest.json", "kept"


class Bar(Protocol):
    """Progress of the copy; `update` may raise to end it."""

    def start(self, title: str, total: int) -> None: ...
    def update(self, done: int) -> None: ...


class Scratch:
    """One run's copy; `names` are where each particle's image is to be read from."""

    def __init__(self, directory: str, keep_free_gb: float, *, keep: bool, reuse: bool) -> None:
        self.top = Path(directory) / FOLDER
        self.names: list[str] = []
        self._floor = int(keep_free_gb * 1e9)
        self._keep, self._reuse = keep, reuse
        self._folder: Path | None = None
        self._lock: IO[Any] | None = None

    def copy(
        self, source: StackSource, names: Sequence[str], groups: Ints, bar: Bar, say: Callable[[str], None]
    ) -> None:
        """Copy what fits. Raises OSError where the directory cannot be used at all."""
        self.top.mkdir(parents=True, exist_ok=True)
        self._remove_left()
        digest = _digest(names)
        if self._reuse and self._found(digest, say):
            return
        self._folder = self.top / f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        self._folder.mkdir(mode=0o777)
        self._lock = _locked(self._folder / _LOCK)
        self.names = list(names)
        bar.start(f"Copying particles to scratch directory: {self._folder}", len(names))
        copied = 0
        for piece in _pieces(source, groups):
            done = self._copy_piece(source, piece)
            if done is None:
                break
            copied += done
            bar.update(int(piece[-1]) + 1)
        bar.update(len(names))
        left = len(names) - copied
        if left:
            say(
                f" {left} of {len(names)} particles stay where they are on {socket.gethostname()}: "
                f"{self.top} is full or its share for others ({self._floor / 1e9:g} GB) is reached"
            )
        write_text(
            self._folder / _MANIFEST, json.dumps({"digest": digest, "names": self.names}), durable=False
        )
        if self._keep:
            (self._folder / _KEPT).touch()

    def _copy_piece(self, source: StackSource, piece: Ints) -> int | None:
        """How many particles were copied; None where the disc has no room for them."""
        assert self._folder is not None
        images = source.read(piece)
        good = np.isfinite(images).all((1, 2))  # others keep their names, so that messages say where they are
        images, piece = images[good], piece[good]
        if not len(piece):
            return 0
        dtype = source.stored_type(piece)
        if free_bytes(str(self._folder)) - images.size * dtype.itemsize < self._floor:
            return None
        path = self._folder / f"particles_{int(piece[0]) + 1:09d}.mrcs"
        try:
            with StackWriter(path, 1.0, dtype=dtype, durable=False) as stack:
                stack.add(images)
        except OSError:
            return None
        for index, particle in enumerate(piece):
            self.names[int(particle)] = f"{index + 1:06d}@{path}"
        return len(piece)

    def _found(self, digest: str, say: Callable[[str], None]) -> bool:
        """Whether an earlier run kept a copy of just these particles; it is used as it is."""
        for folder in sorted(self.top.iterdir()):
            try:
                manifest = json.loads((folder / _MANIFEST).read_text())
            except (OSError, ValueError):
                continue
            if (folder / _KEPT).exists() and manifest.get("digest") == digest:
                self.names, self._folder, self._keep = manifest["names"], folder, True
                say(f" Using the scratch copy {folder}")
                return True
        say(f" There is no scratch copy of these particles in {self.top}: a new one is made")
        return False

    def _remove_left(self) -> None:
        """Remove the folders of runs that are dead and did not keep them."""
        for folder in self.top.iterdir():
            if (folder / _KEPT).exists() or not (folder / _LOCK).exists():
                continue
            lock = _locked(folder / _LOCK)
            if lock is not None:
                lock.close()
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the copy, unless it is to be kept."""
        if self._folder is not None and not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
        self._folder = self._lock = None


def _pieces(source: StackSource, groups: Ints) -> list[Ints]:
    """Particles in runs of one optics group, each small enough to be held in memory."""
    edges = np.flatnonzero(np.diff(groups)) + 1
    pieces = []
    for run in np.split(np.arange(len(groups)), edges):
        size = max(1, PIECE_BYTES // (4 * source.box_of(int(run[0])) ** 2))
        pieces += [run[start : start + size] for start in range(0, len(run), size)]
    return pieces


def _locked(path: Path) -> IO[Any] | None:
    """The file, locked for as long as it is open; None where another run holds it."""
    handle = open(path, "a")  # noqa: SIM115 - the lock lives as long as the file is open
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def _digest(names: Sequence[str]) -> str:
    """What identifies the images: their names, and size and time of their stacks."""
    text = hashlib.sha256(os.fsencode("\n".join(names)))
    for path in sorted({split_name(name)[1] for name in names}):
        try:
            status = os.stat(path)
        except OSError:
            continue
        text.update(os.fsencode(f"{path} {status.st_size} {status.st_mtime_ns}\n"))
    return text.hexdigest()
