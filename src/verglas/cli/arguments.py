"""Words of a command as positional ones and flags; nothing is imported for it (start-up counts)."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


class CommandError(Exception):
    """The command cannot be done as typed; the message says what to type."""


@dataclass(frozen=True)
class Words:
    """Parsed words: `flags` holds what was given; switches are True."""

    positional: list[str]
    flags: dict[str, str | bool]

    def text(self, name: str, default: str = "") -> str:
        value = self.flags.get(name, default)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: float) -> float:
        """A flag's number. Raises CommandError naming flag and text."""
        text = self.flags.get(name)
        if text is None:
            return default
        try:
            value = float(str(text))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CommandError(f"{name} needs a number, got {text!r}")
        return value

    def count(self, name: str, default: int) -> int:
        value = self.number(name, default)
        if value != int(value) or value < 0:
            raise CommandError(f"{name} needs a whole number from 0, got {self.flags[name]!r}")
        return int(value)

    def has(self, name: str) -> bool:
        return name in self.flags


def split_words(words: Sequence[str], known: Mapping[str, bool]) -> Words:
    """Split at flags; `known` maps flag -> whether it takes a value. Raises CommandError."""
    positional: list[str] = []
    flags: dict[str, str | bool] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            positional.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
            raise CommandError(f"unknown flag {name}{hint}")
        if not known[name]:
            flags[name] = True
        elif equals:
            flags[name] = value
        elif queue:
            flags[name] = queue.pop(0)
        else:
            raise CommandError(f"{name} needs a value")
    return Words(positional, flags)


def obey(
    command: str,
    words: Sequence[str],
    help_text: str,
    do: Callable[[list[str]], int],
    complaints: tuple[type[Exception], ...] = (LookupError, ValueError, OSError),
) -> int:
    """Do what the words behind a command ask for; its help without words or where it is asked for.

    A CommandError and the other `complaints` become the command's last line and exit code 1.
    """
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(help_text)
        return 0
    expected: tuple[type[Exception], ...] = (CommandError, *complaints)
    try:
        return do(rest)
    except expected as error:
        return complain(command, error)


def complain(command: str, error: BaseException) -> int:
    """Print an error as the command's last line; returns exit code 1."""
    if isinstance(error, BrokenPipeError):
        raise error  # nobody reads any more: not an error of the command
    print(f"verglas {command}: {in_words(error)}", file=sys.stderr)
    return 1


def in_words(error: BaseException) -> str:
    """What an error says, without what only programmers read."""
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{error.filename or 'a file without a name (an option is empty)'}: {error.strerror}"
    return str(error)


def one_word(words: Sequence[str], what: str) -> str:
    """The only word there is. Raises CommandError that names what is wanted."""
    if len(words) != 1:
        raise CommandError(f"name {what}")
    return words[0]


def without_flag(words: Sequence[str], flag: str) -> tuple[list[str], bool]:
    """The other words, and whether the flag was among them."""
    return [word for word in words if word != flag], flag in words
