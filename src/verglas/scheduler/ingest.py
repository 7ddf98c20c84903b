"""Copying movies from the microscope's disc so that nobody ever sees half of one (pipeline.md §3.9).

Under a temporary name, verified, flushed, then renamed. Sources are found by polling, since network
mounts give no notices; a share that vanishes is waited for. What was copied is known by its name and
size at the destination: no list has to be kept, so a restart simply goes on.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from verglas.formats.atomic import sync_directory
from verglas.jobs.importing.raw_files import is_unfinished_name

BLOCK = 4 * 2**20
SETTLED_POLLS = 2  # size and time unchanged over so many looks: whoever writes has finished


class CopyFailed(OSError):
    """A file could not be copied this time; it is tried again."""


@dataclass(frozen=True)
class Source:
    """A file to be copied."""

    path: Path
    relative: str
    size: int
    changed_ns: int


@dataclass
class Tally:
    """What an ingest has done so far."""

    files: int = 0
    bytes: int = 0
    known: int = 0
    seconds: float = 0.0
    waiting: dict[str, str] = field(default_factory=dict)  # file -> why it is not copied yet

    @property
    def rate_mb_s(self) -> float:
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0


class Ingest:
    """One source folder flowing into one destination folder."""

    def __init__(
        self,
        source: Path,
        destination: Path,
        *,
        patterns: tuple[str, ...] = ("*",),
        move: bool = False,
        checksum: bool = False,
        floor_gb: float = 1.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.source, self.destination = source, destination
        self.patterns, self.move, self.checksum, self.say = patterns, move, checksum or move, say
        self.floor_gb = floor_gb
        self.tally = Tally()
        self._seen: dict[str, tuple[int, int, int]] = {}  # relative -> size, time, polls unchanged
        self._unreadable: dict[str, str] = {}  # met in the last look: relative -> why
        self._told_missing = False
        self._told_full = False

    def once(self, *, settled: bool = False) -> int:
        """Copy what is complete now; returns how many files. `settled`: files at rest are complete."""
        copied = 0
        for found in self._complete(settled):
            if self._is_full(found):
                break
            try:
                self._copy(found)
            except OSError as error:
                self.tally.waiting[found.relative] = f"{error.strerror or error}; will be tried again"
                self.say(f"{found.relative}: {self.tally.waiting[found.relative]}")
                continue
            copied += 1
        return copied

    def watch(self, stop: Callable[[], bool], pause_s: float = 2.0) -> None:
        """Copy what comes until `stop()`; looks every `pause_s` seconds."""
        while not stop():
            copied = self.once()
            if copied:
                self.say(self.status_line())
            deadline = time.monotonic() + pause_s
            while time.monotonic() < deadline and not stop():
                time.sleep(min(0.2, pause_s))

    def status_line(self) -> str:
        """Rate and lag in one line."""
        lag = len(self.tally.waiting)
        text = f"{self.tally.files} files, {self.tally.bytes / 1e9:.2f} GB, {self.tally.rate_mb_s:.0f} MB/s"
        return f"{text}; {lag} not complete yet" if lag else f"{text}; nothing is left behind"

    def _complete(self, settled: bool) -> Iterator[Source]:
        """Files that are not at the destination and whose writer has finished."""
        listed = self._list()
        self.tally.waiting = dict(self._unreadable)
        self.tally.known = 0
        for found in listed:
            if self._is_copied(found):
                self.tally.known += 1
                if self.move:
                    self._remove_source(found)
                continue
            size, changed, polls = self._seen.get(found.relative, (-1, -1, 0))
            same = (size, changed) == (found.size, found.changed_ns)
            polls = polls + 1 if same else 1
            self._seen[found.relative] = (found.size, found.changed_ns, polls)
            if found.size == 0:
                self.tally.waiting[found.relative] = "empty so far"
            elif polls >= SETTLED_POLLS or settled:
                yield found
            else:
                self.tally.waiting[found.relative] = "still growing, or only just seen"

    def _list(self) -> list[Source]:
        """Matching files by name; none while the share is away."""
        found: list[Source] = []
        self._unreadable = {}
        try:
            self._walk(self.source, "", (), found)
        except OSError as error:
            if not self._told_missing:
                self.say(f"{self.source} is away ({error.strerror}); waiting for it")
            self._told_missing = True
            return []
        if self._told_missing:
            self.say(f"{self.source} is back")
        self._told_missing = False
        return sorted(found, key=lambda each: (each.changed_ns, each.relative))

    def _walk(
        self, folder: Path, prefix: str, above: tuple[tuple[int, int], ...], found: list[Source]
    ) -> None:
        """Matching files of a folder and below, links followed but never in circles."""
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_unfinished_name(entry.name):
                    continue
                relative = prefix + entry.name
                try:
                    if entry.is_dir():
                        self._walk(Path(entry.path), relative + "/", (*above, here), found)
                    elif any(_fits(relative, pattern) for pattern in self.patterns):
                        found.append(_source(entry, relative))
                except OSError as error:  # one bad entry costs no other
                    self._unreadable[relative] = _why_unreadable(entry, error)

    def _is_copied(self, found: Source) -> bool:
        target = self.destination / found.relative
        try:
            status = target.stat()
        except OSError:
            return False
        return status.st_size == found.size and status.st_mtime_ns == found.changed_ns

    def _is_full(self, found: Source) -> bool:
        """Copying is the last to pause when the disc fills up; it goes on by itself."""
        folder = next(each for each in (self.destination, *self.destination.parents) if each.exists())
        free_bytes = shutil.disk_usage(folder).free
        full = free_bytes - found.size < self.floor_gb * 1e9
        if full:
            self.tally.waiting[found.relative] = f"{free_bytes / 1e9:.1f} GB are free at the destination"
        if full != self._told_full:
            self.say("the disc is full: copying pauses" if full else "there is space again: copying goes on")
        self._told_full = full
        return full

    def _copy(self, found: Source) -> None:
        begin = time.monotonic()
        target = self.destination / found.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.part")
        try:
            digest = _copy_bytes(found.path, temporary)
            self._verify(found, temporary, digest)
            os.utime(temporary, ns=(found.changed_ns, found.changed_ns))
            os.replace(temporary, target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(target.parent)
        self.tally.files += 1
        self.tally.bytes += found.size
        self.tally.seconds += time.monotonic() - begin
        self._seen.pop(found.relative, None)
        if self.move:
            self._remove_source(found)

    def _verify(self, found: Source, copy: Path, digest: str) -> None:
        """The source did not change meanwhile; the copy, read back from the disc, is the same."""
        status = found.path.stat()
        if (status.st_size, status.st_mtime_ns) != (found.size, found.changed_ns):
            raise CopyFailed(0, "it changed while it was copied", str(found.path))
        if copy.stat().st_size != found.size:
            raise CopyFailed(0, "the copy is shorter than the source", str(found.path))
        if self.checksum and _digest(copy) != digest:
            raise CopyFailed(0, "the copy read back differs from the source", str(found.path))

    def _remove_source(self, found: Source) -> None:
        """Only after the copy at its final name was read back and is the same as the source."""
        if _digest(self.destination / found.relative) == _digest(found.path):
            found.path.unlink()
        else:
            self.say(f"{found.relative}: source and copy differ; the source stays")


def _source(entry: os.DirEntry[str], relative: str) -> Source:
    status = entry.stat()
    return Source(Path(entry.path), relative, status.st_size, status.st_mtime_ns)


def _why_unreadable(entry: os.DirEntry[str], error: OSError) -> str:
    if entry.is_symlink() and not os.path.exists(entry.path):
        return f"a link to {os.readlink(entry.path)}, which is not there"
    return f"cannot be read: {error.strerror}"


def _fits(relative: str, pattern: str) -> bool:
    """`*.tif` fits at any depth; a pattern with a slash is matched against the whole path."""
    if "/" not in pattern:
        return fnmatch.fnmatch(relative.rsplit("/", 1)[-1], pattern)
    return fnmatch.fnmatch(relative, pattern) or (
        pattern.startswith("**/") and fnmatch.fnmatch(relative, pattern[3:])
    )


def _copy_bytes(source: Path, target: Path) -> str:
    """Copy, flush to the disc, and return the checksum of what was read."""
    digest = xxhash.xxh3_128()
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    """Checksum of a file as it is on the disc (its cached pages are dropped first where possible)."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as reader:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(reader.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := reader.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
