"""Finding new movies, and deciding by content which are complete.

Folders are looked into only when they changed, and a file is opened again only when its size or time
changed, so a quiet session costs nothing and a new movie costs the same however many there are. No
decision rests on comparing a file's time with the clock: microscopes' clocks are wrong.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from verglas.formats.movies import MovieInfo, UnreadableMovie, check_movie
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.importing.raw_files import RawFile, fixed_folder, is_unfinished_name, raw_file

LOOK_AGAIN_S = 60.0  # file systems whose folders do not tell that they changed
CHECKS_PER_LOOK = 200  # files opened in one look; the rest waits for the next


@dataclass(frozen=True)
class NewMovie:
    """A complete file that is not known yet."""

    raw: RawFile
    stamp: str
    info: MovieInfo
    since_s: float  # when it was first seen with this stamp


@dataclass(slots=True)
class Candidate:
    """A file seen but not taken yet, and why."""

    raw: RawFile
    stamp: str = ""
    since_s: float = 0.0  # when this stamp was first seen
    info: MovieInfo | None = None
    reason: str = "not looked at yet"


@dataclass
class _Folder:
    """A folder at its last look."""

    changed: int = 0
    looked_s: float = -1e9
    again: bool = False
    names: set[str] = field(default_factory=set)  # everything in it


@dataclass
class Watcher:
    """Looks for files matching a wildcard; `directory` is the Import job's."""

    wildcard: str
    directory: Path
    settle_s: float = 1.0
    n_frames: int = 0  # > 0: what every movie must have
    shape_yx: tuple[int, int] | None = None  # of the first movie, once known
    first_frames: int = 0  # of the first movie
    known: set[str] = field(default_factory=set)  # paths that were taken
    roots: set[str] = field(default_factory=set)  # output names in use
    _waiting: dict[str, Candidate] = field(default_factory=dict)
    _folders: dict[str, _Folder] = field(default_factory=dict)
    _deep: list[str] = field(default_factory=list)

    def look(self) -> list[NewMovie]:
        """Complete new files, in the order of their names."""
        now = time.monotonic()
        for path in self._changed_names(now):
            if path not in self.known and path not in self._waiting:
                raw = raw_file(Path(path), self.wildcard, self.directory)
                self._waiting[path] = Candidate(raw)
        found = []
        checked = 0
        for path in sorted(self._waiting):
            candidate = self._waiting[path]
            stamp = file_stamp(candidate.raw.path)
            if stamp != candidate.stamp:
                if checked == CHECKS_PER_LOOK:
                    continue
                checked += 1
                candidate.stamp, candidate.since_s = stamp, now
                candidate.info = self._read(candidate)
            if candidate.info is not None and self._is_complete(candidate, now):
                found.append(NewMovie(candidate.raw, candidate.stamp, candidate.info, candidate.since_s))
                self._take(path, candidate)
        return found

    @property
    def waiting(self) -> list[Candidate]:
        """Files seen but not taken, each with the reason in words."""
        return list(self._waiting.values())

    def _take(self, path: str, candidate: Candidate) -> None:
        del self._waiting[path]
        self.known.add(path)
        self.roots.add(candidate.raw.output_root)

    def _read(self, candidate: Candidate) -> MovieInfo | None:
        """What the file announces; None with the reason noted if it cannot be used (yet)."""
        path = candidate.raw.path
        if path.is_symlink() and not path.exists():
            candidate.reason = f"dangling link: {os.readlink(path)} is missing"
            return None
        try:
            info = check_movie(path)
        except UnreadableMovie as error:
            candidate.reason = f"not complete, or no movie: {error}"
            return None
        except OSError as error:
            candidate.reason = f"cannot be read: {error.strerror or error}"
            return None
        if candidate.raw.output_root in self.roots:
            candidate.reason = f"its outputs ({candidate.raw.output_root}) belong to another file"
            return None
        if self.shape_yx is None:
            self.shape_yx, self.first_frames = info.shape_yx, info.n_frames
        candidate.reason = self._misfit(info)
        return None if candidate.reason else info

    def _misfit(self, info: MovieInfo) -> str:
        if info.shape_yx != self.shape_yx and self.shape_yx is not None:
            (height, width), (first_height, first_width) = info.shape_yx, self.shape_yx
            return (
                f"wrong shape: {width} x {height} pixels, the first movie has {first_width} x {first_height}"
            )
        if self.n_frames and info.n_frames != self.n_frames and info.kind != "eer":
            return f"{info.n_frames} frames, this session expects {self.n_frames}"
        return ""

    def _is_complete(self, candidate: Candidate, now: float) -> bool:
        """A container that may go on after a whole frame must keep its size for a while."""
        info = candidate.info
        assured = info is not None and (
            info.kind == "mrc" or (info.kind == "tiff" and info.n_frames == self._usual_frames)
        )
        if assured or now - candidate.since_s >= self.settle_s:
            return True
        candidate.reason = "complete so far; waiting whether it grows"
        return False

    @property
    def _usual_frames(self) -> int:
        return self.n_frames or (self.first_frames if self.known else 0)

    def _changed_names(self, now: float) -> Iterator[str]:
        """Paths matching the wildcard in folders that changed since they were looked into."""
        pattern = Path(self.wildcard).name
        queue = self._folders_to_watch()
        while queue:
            folder = queue.pop()
            state = self._folders.setdefault(folder, _Folder())
            try:
                changed = os.stat(folder).st_mtime_ns
            except OSError:
                continue
            if changed == state.changed and not state.again and now - state.looked_s < LOOK_AGAIN_S:
                continue
            # a second change may hide behind the same time: look once more after every change
            state.again = changed != state.changed
            state.changed, state.looked_s = changed, now
            names, folders = _new_entries(folder, state, pattern, self._is_deep)
            yield from names
            new = [each for each in folders if each not in self._folders]
            queue += new
            self._deep += new

    def _folders_to_watch(self) -> list[str]:
        """Folders in which files can match; with `**` every one found so far."""
        parent = str(Path(self.wildcard).parent)
        if not glob.has_magic(parent):
            return [parent]
        if self._is_deep:
            return [str(fixed_folder(self.wildcard)), *self._deep]
        return sorted(path for path in glob.glob(parent) if os.path.isdir(path))

    @property
    def _is_deep(self) -> bool:
        return "**" in self.wildcard


def _new_entries(folder: str, state: _Folder, pattern: str, deep: bool) -> tuple[list[str], list[str]]:
    """New matching names of a folder, and (only if `deep`) the new folders in it.

    Many known files cost a comparison of two sets, made outside Python's own loop.
    """
    try:
        there = set(os.listdir(folder))
    except OSError:
        return [], []
    new, state.names = sorted(there - state.names), there
    before = "" if folder == "." else f"{folder.rstrip('/')}/"
    names = [before + name for name in new if fnmatch.fnmatch(name, pattern) and not is_unfinished_name(name)]
    if not deep:
        return names, []
    movies = set(names)
    others = (before + name for name in new if not name.startswith("."))
    return names, [path for path in others if path not in movies and os.path.isdir(path)]
