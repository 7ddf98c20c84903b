"""Files that change together: all of them or none, at whatever instant the process is killed.

New contents are staged beside; then the list of steps is written (the point of no return) and done. Whoever
finds such a list finishes it, so every step may be done twice; staged files without a list are removed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from verglas.formats.atomic import atomic_write, sync_directory, temporary_name, write_text

STAGING = ".verglas_change"
_STEPS = "steps.json"
_TEXT_SUFFIXES = {".star", ".txt", ".json", ".html", ".svg", ".xml", ".csv", ".tsv", ".log", ".py"}


class Journal:
    """Steps that are to be taken together below `root`; names are relative to it.

    Nothing is done before `commit`; steps are taken in the order they were given.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._steps: list[tuple[str, ...]] = []
        self._contents: dict[str, bytes] = {}  # staged name -> what it is to hold
        self._placed = 0
        self._has_staged = False

    def write(self, name: str, data: bytes) -> None:
        """Give a file these contents."""
        staged = self._place(name)
        self._contents[staged] = data

    def file(self, name: str) -> Path:
        """Where to write what is to become this file, for whoever writes files and not bytes."""
        staged = self._place(name)
        if not self._has_staged:
            self._begin_staging()
        return self.root / STAGING / staged

    def _place(self, name: str) -> str:
        """A staged name (with the final one's ending) for a file, and the step that moves it there."""
        self._spare(name)
        staged = f"{self._placed}{Path(name).suffix}"
        self._placed += 1
        self._steps.append(("replace", staged, name))
        return staged

    def move(self, source: str, target: str) -> None:
        """Rename a file or folder; what has the target's name goes."""
        self._spare(target)
        self._steps.append(("move", source, target))

    def keep(self, source: str, target: str) -> None:
        """Give a file a second name, unless that exists."""
        self._steps.append(("keep", source, target))

    def reword(self, name: str, old: str, new: str) -> None:
        """Replace a path in a text file, unless it says the new one already."""
        self._steps.append(("reword", name, old, new))

    def remove(self, name: str, up_to: str = "") -> None:
        """Remove a file, link or folder, and its parents below `up_to` that it leaves empty."""
        self._steps.append(("remove", name, up_to))

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link, unless the name is taken."""
        self._steps.append(("link", name, target))

    def touch(self, name: str) -> None:
        """See that a file is there, and new."""
        self._steps.append(("touch", name))

    def commit(self) -> None:
        """Take all steps. Raises OSError; if it could not even write them down, nothing has changed."""
        if len(self._steps) == 1 and self._contents:  # one file is replaced at once as it is
            path = self.root / self._steps[0][2]
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as out:
                out.write(*self._contents.values())
        elif self._steps:
            self._stage()
            settle(self.root)

    def _spare(self, name: str) -> None:
        """A removal that is done twice must not take what came into its place."""
        self._steps = [step for step in self._steps if step[:2] != ("remove", name)]

    def abandon(self) -> None:
        """Nothing is to change: what was staged goes."""
        if self._has_staged:
            shutil.rmtree(self.root / STAGING, ignore_errors=True)

    def _begin_staging(self) -> None:
        staging = self.root / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        sync_directory(self.root)
        self._has_staged = True

    def _stage(self) -> None:
        staging = self.root / STAGING
        if not self._has_staged:
            self._begin_staging()
        try:
            for staged, data in self._contents.items():
                with open(staging / staged, "wb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
            write_text(staging / _STEPS, json.dumps(self._steps))
        except BaseException:
            self.abandon()
            raise


def is_unsettled(root: Path) -> bool:
    """Whether a change was begun here and is not at its end (or its process is at work on it)."""
    return (root / STAGING).exists()


def settle(root: Path) -> bool:
    """Finish a change that was begun; returns whether there was one. Raises OSError.

    For who holds the lock of `root`, or is its only user.
    """
    staging = root / STAGING
    try:
        steps = json.loads((staging / _STEPS).read_text())
    except FileNotFoundError:
        shutil.rmtree(staging, ignore_errors=True)
        return False
    touched: set[Path] = set()
    for kind, *names in steps:
        touched.update(_TAKE[kind](root, *names))
    for folder in touched:
        if folder.is_dir():
            sync_directory(folder)
    (staging / _STEPS).unlink()
    shutil.rmtree(staging, ignore_errors=True)
    sync_directory(root)
    return True


def _replace(root: Path, staged: str, name: str) -> list[Path]:
    return _move(root, f"{STAGING}/{staged}", name)


def _move(root: Path, source: str, target: str) -> list[Path]:
    """Nothing under the old name: this was done before."""
    old, new = root / source, root / target
    if not os.path.lexists(old):
        return []
    new.parent.mkdir(parents=True, exist_ok=True)
    if old.is_dir() and not old.is_symlink():
        _discard(new)
    os.replace(old, new)
    return [old.parent, new.parent]


def _keep(root: Path, source: str, target: str) -> list[Path]:
    old, new = root / source, root / target
    if os.path.lexists(new) or not old.exists():
        return []
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError:  # a file system without second names
        half = temporary_name(new)
        shutil.copy2(old, half)
        os.replace(half, new)
    return [new.parent]


def _reword(root: Path, name: str, old: str, new: str) -> list[Path]:
    if (root / name).exists():
        replace_in_text(root / name, old, new)
    return [(root / name).parent]


def replace_in_text(path: Path, old: str, new: str) -> None:
    """Replace a path in a file of text; one that says the new path already is left as it is.

    Names are longer than any column's padding: the layout stays.
    """
    if path.suffix not in _TEXT_SUFFIXES:
        return
    data, before, after = path.read_bytes(), os.fsencode(old), os.fsencode(new)
    longer = before in after  # then what is done already is recognised by the new path
    if before in data and not (longer and after in data):
        with atomic_write(path, durable=False) as out:
            out.write(data.replace(before, after))


def _remove(root: Path, name: str, up_to: str) -> list[Path]:
    path, stop = root / name, root / up_to
    _discard(path)
    if not up_to:
        return [path.parent]
    folder = path.parent
    while folder != stop and folder.is_relative_to(stop):
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # not empty
            break
        folder = folder.parent
    return [folder]


def _link(root: Path, name: str, target: str) -> list[Path]:
    path = root / name
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return [path.parent]


def _touch(root: Path, name: str) -> list[Path]:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return [path.parent]


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


_TAKE: dict[str, Callable[..., list[Path]]] = {
    "replace": _replace,
    "move": _move,
    "keep": _keep,
    "reword": _reword,
    "remove": _remove,
    "link": _link,
    "touch": _touch,
}
