"""Programs: RELION's command-line flags parsed into the arguments a job works from.

A program's flags are those its form options pass (`OptionInfo.flag`) and those declared beside them
that have no place on the form. Unknown flags are errors; flags of the reference program that we do not
need are accepted with one warning that says why.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verglas.jobs.contract.options import JobOptions, to_text


@dataclass(frozen=True)
class Flag:
    """One program flag. `kind` bool takes no value."""

    name: str
    default: Any
    help: str = ""
    section: str = "Options"
    unneeded: str = ""  # accepted and ignored; this text says why
    required: bool = False

    @property
    def kind(self) -> type:
        return type(self.default)


class UsageError(ValueError):
    """The command line cannot be understood; the message says which word and what was expected."""


@dataclass(frozen=True)
class Arguments(Mapping[str, Any]):
    """Parsed flags: `arguments["--K"]`; `given` tells which were on the command line."""

    parsed: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.parsed[name]

    def __iter__(self) -> Any:
        return iter(self.parsed)

    def __len__(self) -> int:
        return len(self.parsed)


@dataclass(frozen=True)
class Program:
    """The command-line face of a job type: `verglas NAME --flag value ...`."""

    name: str
    flags: Mapping[str, Flag]
    summary: str = ""
    relion_name: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        options: type[JobOptions],
        extra: Iterable[Flag] = (),
        *,
        defaults: Mapping[str, Any] | None = None,
        summary: str = "",
        relion_name: str = "",
    ) -> Program:
        """Flags of the form options, with program `defaults` where they differ, and `extra` ones."""
        flags: dict[str, Flag] = {}
        for key, info in options.infos().items():
            if info.flag is None or info.flag in flags:
                continue
            default = options.model_fields[key].default
            if isinstance(default, bool):
                default = False  # a switch is off until it is given
            elif info.to_flag is not None:
                default = info.to_flag(default)
            default = (defaults or {}).get(info.flag, default)
            flags[info.flag] = Flag(info.flag, default, info.help, info.tab)
        flags.update({flag.name: flag for flag in extra})
        return cls(name, flags, summary, relion_name)

    def parse(self, words: Sequence[str]) -> Arguments:
        """Words of a command line as arguments. Raises UsageError."""
        values = {name: flag.default for name, flag in self.flags.items() if not flag.unneeded}
        given: set[str] = set()
        warnings: list[str] = []
        queue = list(words)
        while queue:
            word = queue.pop(0)
            flag = self.flags.get(word)
            if flag is None:
                raise UsageError(self._unknown(word))
            if flag.kind is bool:
                value: Any = True
            elif not queue:
                raise UsageError(f"{self.name}: {word} needs a value")
            else:
                value = _convert(self.name, flag, queue.pop(0))
            if flag.unneeded:
                warnings.append(f"{word} is accepted but not needed: {flag.unneeded}")
                continue
            values[word] = value
            given.add(word)
        missing = [name for name, flag in self.flags.items() if flag.required and name not in given]
        if missing:
            raise UsageError(f"{self.name}: {', '.join(missing)} must be given")
        return Arguments(values, frozenset(given), tuple(warnings))

    def help_text(self) -> str:
        """Sections `====== Title =====` with `--flag (default) : text`, as RELION prints them."""
        sections: dict[str, list[str]] = {}
        for flag in self.flags.values():
            text = flag.help if not flag.unneeded else f"not needed: {flag.unneeded}"
            default = "false" if flag.default is False else to_text(flag.default)
            sections.setdefault(flag.section, []).append(f"{flag.name:>32} ({default}) : {text}")
        lines = [f"verglas {self.name}: {self.summary}"]
        for title, entries in sections.items():
            lines += [f"====== {title} ===== ", *entries]
        return "\n".join(lines)

    def _unknown(self, word: str) -> str:
        near = difflib.get_close_matches(word, self.flags, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; see verglas {self.name} --help"
        what = "unknown flag" if word.startswith("-") else "unexpected word"
        return f"{self.name}: {what} {word}{hint}"


def _convert(program: str, flag: Flag, text: str) -> Any:
    if flag.kind is str:
        return text
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{program}: {flag.name} needs a number, got {text!r}") from None
    if flag.kind is int:
        if number != int(number):
            raise UsageError(f"{program}: {flag.name} needs a whole number, got {text!r}")
        return int(number)
    return number
