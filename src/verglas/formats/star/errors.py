"""What went wrong in a STAR file, and where."""

from __future__ import annotations


class StarError(ValueError):
    """A STAR file that is not what was expected: `path:line:column: reason` (both from 1)."""

    def __init__(
        self, reason: str, path: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        self.reason, self.path, self.line, self.column = reason, path, line, column
        place = ":".join(str(part) for part in (path or None, line, column) if part is not None)
        super().__init__(f"{place}: {reason}" if place else reason)

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes; the default would call us with the message alone."""
        return type(self), (self.reason, self.path, self.line, self.column)


class MissingStarItem(StarError, KeyError):
    """A table or a column that is not in the file."""

    def __str__(self) -> str:
        return ValueError.__str__(self)
