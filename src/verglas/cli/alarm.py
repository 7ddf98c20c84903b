"""`verglas alarm set|show|test`: who is told when something stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from verglas.cli.arguments import CommandError, Words, obey, split_words
from verglas.project.project import Project
from verglas.scheduler.alarms import deliver
from verglas.scheduler.settings import WatchSettings, load_settings, save_settings

_HELP = """verglas alarm show
verglas alarm test                       send a message by every way that is configured
verglas alarm set --alarm_command CMD    run with the message as its last argument
                  --alarm_webhook URL    POST {"text": message}
                  --smtp_host HOST[:PORT] --smtp_to ADDRESS [--smtp_from ADDRESS]
                  --no_new_file_min 30   minutes without a new movie
                  --lag_movies 200       movies that processing may be behind
                  --disc_floor_gb 5      below it jobs pause
                  --ingest_floor_gb 1    below it copying pauses too
Alarms are off until one of the ways is set."""


def main(words: Sequence[str]) -> int:
    return obey("alarm", words, _HELP, lambda rest: _do(rest[0], rest[1:]), (OSError, ValueError))


def _do(command: str, words: list[str]) -> int:
    root = Project.open().root
    settings = load_settings(root)
    if command == "show":
        for key, value in asdict(settings).items():
            print(f"{key} = {value}")
        return 0
    if command == "set":
        save_settings(root, _changed(settings, words))
        return 0
    if command == "test":
        if not settings.has_destination:
            raise CommandError("no destination is set; verglas alarm set --alarm_command CMD, for one")
        problems = deliver(root, settings, f"verglas: this is a test of the alarm of {root}")
        print("\n".join(problems) or "sent")
        return 1 if problems else 0
    raise CommandError(f"no command {command!r}; verglas alarm --help lists them")


def _changed(settings: WatchSettings, words: list[str]) -> WatchSettings:
    kinds = {each.name: type(getattr(settings, each.name)) for each in fields(settings)}
    parsed = split_words(words, {f"--{name}": True for name in kinds})
    if parsed.positional or not parsed.flags:
        raise CommandError("give what to set: --key value")
    read: dict[type, Callable[[str], object]] = {
        int: lambda flag: parsed.count(flag, 0),
        float: lambda flag: _from_zero(parsed, flag),
        str: parsed.text,
    }
    names = [flag.removeprefix("--") for flag in parsed.flags]
    given: dict[str, Any] = {name: read[kinds[name]](f"--{name}") for name in names}
    return replace(settings, **given)


def _from_zero(parsed: Words, flag: str) -> float:
    value = parsed.number(flag, 0.0)
    if value < 0:
        raise CommandError(f"{flag} cannot be negative, got {value:g}")
    return value
