"""The bytes of a file being read, and how to complain about them."""

from __future__ import annotations

import re

from verglas.formats.star.errors import StarError

_STRAY = re.compile(rb"[\x00-\x06\x08\x0b-\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)")


class Source:
    """A cursor-free view of a file: lines by byte offset, errors by line and column."""

    def __init__(self, data: bytes, path: str, permissive: bool) -> None:
        self.data = data
        self.path = path
        self.permissive = permissive
        self.is_versioned = False  # a version comment was met: no file of 2.x
        self.problems: list[str] = []
        self._n_lines: int | None = None
        self._known_line = 0, 1  # an offset and its line: counting goes on from there

    def line_at(self, start: int) -> tuple[str, int]:
        """The line that starts at this byte (without its end) and where the next one starts."""
        end = self.data.find(b"\n", start)
        stop, following = (len(self.data),) * 2 if end < 0 else (end, end + 1)
        return self.text(start, stop).removesuffix("\r"), following

    def text(self, start: int, stop: int) -> str:
        """Decoded bytes, stray control characters refused; what is not UTF-8 survives a rewrite."""
        part = self.data[start:stop]
        stray = _STRAY.search(part)
        if stray:
            code = part[stray.start()]
            self.problem(start + stray.start(), f"stray character 0x{code:02x}: the file is damaged")
            part = _STRAY.sub(b" ", part)
        return part.decode("utf-8", "surrogateescape")

    def line_number(self, offset: int) -> int:
        """Line number, from 1, of a byte offset."""
        known, line = self._known_line if self._known_line[0] <= offset else (0, 1)
        line += self.data.count(b"\n", known, offset)
        self._known_line = offset, line
        return line

    def lines_after(self, offset: int) -> int:
        """How many lines begin behind a byte offset."""
        if self._n_lines is None:
            self._n_lines = self.data.count(b"\n")
        return self._n_lines - self.line_number(offset) + 1

    def problem(self, offset: int, reason: str) -> None:
        """Raise, or only remember if the user asked for a permissive reading."""
        error = self.error(offset, reason)
        if not self.permissive:
            raise error
        self.problems.append(str(error))

    def note(self, offset: int, reason: str) -> None:
        """Remember something that need not be wrong."""
        self.problems.append(str(self.error(offset, reason)))

    def unclosed(self, offset: int, name: str) -> None:
        """A table as RELION writes it ends with an empty line; here the file ended before.

        In the middle of a line that is damage. Between two lines it may be somebody's `head`,
        which RELION reads too: not an error, but told.
        """
        reason = f"the file ends inside table data_{name} (no empty line behind it)"
        if self.data.endswith(b"\n"):
            self.note(offset, f"{reason}: it may have been cut short")
        else:
            self.problem(offset, f"{reason} and in the middle of a line: it was cut short")

    def error(self, offset: int, reason: str) -> StarError:
        """The error for something at this byte offset."""
        column = offset - (self.data.rfind(b"\n", 0, offset) + 1) + 1
        return StarError(reason, self.path, self.line_number(offset), column)
