"""Items a job could not process: `set_aside.star`, one row each with its reason.

An entry holds as long as the item's file is unchanged (size and modification time) and the job has the
options it had; then the item is tried again. Nothing here ends a job.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verglas.formats.star import StarTable, read_star, write_star

FILE_NAME = "set_aside.star"
NAME, REASON, STAMP = "rlnMicrographName", "verglasReason", "verglasFileStamp"


_WITHOUT_EFFECT = {"--only_do_unfinished", "--j", "--gpu", "--i", "--o"}
ITEM_FAULTS = (*(ValueError, OSError, EOFError, ArithmeticError, LookupError, RuntimeError, MemoryError),)
"""What work on one bad item may raise: caught at the one boundary of each worker."""


class SetAside(Exception):
    """This one item cannot be processed; the message says why, in words for the user."""

    @classmethod
    def of(cls, error: BaseException) -> SetAside:
        """The reason of an item during whose work this happened."""
        if isinstance(error, MemoryError):
            return cls(f"needs more memory than there is{f': {error}' if str(error) else ''}")
        if isinstance(error, KeyError) and len(error.args) == 1:
            return cls(f"KeyError: nothing is known about {error.args[0]!r}")
        return cls(f"{type(error).__name__}: {str(error) or 'without a word'}")


@dataclass
class SetAsideList:
    """The set-aside items of one job directory."""

    directory: Path
    entries: dict[str, tuple[str, str]]  # name -> (reason, stamp of the file and the options)
    options: str = ""  # a word that stands for the options of the job

    @classmethod
    def read(cls, directory: Path, flags: Mapping[str, Any] | None = None) -> SetAsideList:
        """The list as it was left; with the flags of a job, entries hold for these only."""
        path = directory / FILE_NAME
        options = "" if flags is None else _word_of(flags)
        if not path.exists():
            return cls(directory, {}, options)
        table = read_star(path)["set_aside"]
        rows = zip(table.strings(NAME), table.strings(REASON), table.strings(STAMP))
        return cls(directory, {name: (reason, stamp) for name, reason, stamp in rows}, options)

    def __contains__(self, name: str) -> bool:
        return _on_one_line(name) in self.entries

    def still_holds(self, name: str, source: Path) -> bool:
        """Whether the item was set aside and its file has not changed since."""
        known = self.entries.get(_on_one_line(name))
        return known is not None and known[1] == self._stamp(source)

    def add(self, name: str, source: Path | None, reason: str) -> None:
        """Set an item aside until its file changes; without a file, until the next execution."""
        stamp = "again" if source is None else self._stamp(source)
        self.entries[_on_one_line(name)] = (_on_one_line(" ".join(reason.split())), stamp)

    def _stamp(self, source: Path) -> str:
        return ":".join(filter(None, (file_stamp(source), self.options)))

    def commonest(self) -> str:
        """How many share the commonest reason, and the reason."""
        kinds = {name: _kind_of(reason, name) for name, reason in self.reasons()}
        (kind, count), *_ = Counter(kinds.values()).most_common(1)
        first = next(reason for name, reason in self.reasons() if kinds[name] == kind)
        return first if count == len(self.entries) == 1 else f"{count} of them because: {first}"

    def remove(self, name: str) -> None:
        self.entries.pop(_on_one_line(name), None)

    def keep_only(self, names: set[str]) -> None:
        """Forget items that are no longer in the input."""
        names = set(map(_on_one_line, names))
        self.entries = {name: entry for name, entry in self.entries.items() if name in names}

    def reasons(self) -> Iterator[tuple[str, str]]:
        for name, (reason, _) in self.entries.items():
            yield name, reason

    def grouped(self) -> dict[str, list[str]]:
        """The items of each reason, for saying it once."""
        found: dict[str, list[str]] = {}
        for name, reason in self.reasons():
            found.setdefault(reason, []).append(name)
        return found

    def write(self) -> None:
        """Write the file if it would change, or remove it when nothing is set aside."""
        path = self.directory / FILE_NAME
        if not self.entries:
            path.unlink(missing_ok=True)
            return
        if SetAsideList.read(self.directory).entries == self.entries:
            return
        write_star(path, [self.table])

    @property
    def table(self) -> StarTable:
        """The list as it is written."""
        columns = {
            NAME: list(self.entries),
            REASON: [reason for reason, _ in self.entries.values()],
            STAMP: [stamp for _, stamp in self.entries.values()],
        }
        return StarTable.from_columns("set_aside", columns)


def _kind_of(reason: str, name: str) -> str:
    """The reason without what is this item's own: its names and numbers."""
    stem = re.escape(Path(name).stem)
    return re.sub(rf"\b{stem}\b|\d+", "", reason.replace(name, ""))


def _on_one_line(text: str) -> str:
    """The text with control characters and bytes that are no UTF-8 written out: `\\n`, `\\xe9`."""
    if text.isprintable():
        return text
    raw = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each >= " " and each != "\x7f" else repr(each)[1:-1] for each in raw)


def _word_of(flags: Mapping[str, Any]) -> str:
    """Changes when an option does that may change what becomes of an item."""
    kept = sorted((key, str(value)) for key, value in flags.items() if key not in _WITHOUT_EFFECT)
    return hashlib.sha256(repr(kept).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def file_stamp(path: Path) -> str:
    """Size and modification time of the file behind a name (links followed), or "missing"."""
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size}:{status.st_mtime_ns}"
