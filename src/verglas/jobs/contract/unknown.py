"""A name that nobody knows: the asker's mistake, never a fault of the program."""

from __future__ import annotations


class UnknownName(KeyError):
    """No job, type, option, session of this name; the message says which are known."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
