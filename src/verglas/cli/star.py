"""`verglas star`: the operations of relion_star_handler; and `star print | plot | convert`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from verglas.cli.arguments import CommandError, complain, split_words
from verglas.formats.star import StarError
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.program import UsageError

_HELP = {
    "print": "verglas star print FILE TABLE [LABEL ...]   rows of a table as text",
    "plot": "verglas star plot FILE TABLE Y [X] [--o plot.png]   a column against another, or rows",
    "convert": "verglas star convert --i FILE --o FILE [--Cs mm] [--Q0 share] [--voltage kV] "
    "[--angpix A] [--box px]   a file of RELION 2.x or 3.0 with optics groups",
}


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    rest = list(words[1:])
    try:
        if rest and rest[0] in _HELP:
            if "--help" in rest or "-h" in rest:
                print(_HELP[rest[0]])
                return 0
            {"print": _print, "plot": _plot, "convert": _convert}[rest[0]](rest[1:])
        else:
            _handle(rest)
    except BrokenPipeError:  # `| head` has seen enough; what is left must not be flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CommandError, UsageError, JobFailed, NothingToDo, StarError, ValueError, OSError) as e:
        return complain("star", e)
    return 0


def _handle(words: list[str]) -> None:
    from verglas.jobs.handlers.star.flags import PROGRAM

    if not words or "--help" in words or "-h" in words:
        print("\n".join([PROGRAM.help_text(), "", *_HELP.values()]))
        return
    from verglas.jobs.handlers.star.handler import handle_star

    handle_star(PROGRAM.parse(words))


def _print(words: list[str]) -> None:
    from verglas.jobs.handlers.star.print import table_named, table_text

    parsed = split_words(words, {})
    if len(parsed.positional) < 2:
        raise CommandError(_HELP["print"])
    path, name, *labels = parsed.positional
    print(table_text(table_named(path, name), labels))


def _plot(words: list[str]) -> None:
    from verglas.jobs.handlers.star.print import plot_table, table_named

    parsed = split_words(words, {"--o": True})
    if len(parsed.positional) < 3:
        raise CommandError(_HELP["plot"])
    path, name, *labels = parsed.positional
    output = Path(parsed.text("--o", f"{Path(path).stem}_{labels[0].removeprefix('_')}.png"))
    plot_table(table_named(path, name), labels, output)
    print(f" Written: {output}")


def _convert(words: list[str]) -> None:
    from verglas.jobs.handlers.star.print import convert

    flags = {
        "--Cs": "rlnSphericalAberration",
        "--Q0": "rlnAmplitudeContrast",
        "--voltage": "rlnVoltage",
        "--angpix": "rlnImagePixelSize",
    }
    parsed = split_words(words, {"--i": True, "--o": True, "--box": True, **dict.fromkeys(flags, True)})
    if not parsed.text("--i") or not parsed.text("--o"):
        raise CommandError(_HELP["convert"])
    known = {label: parsed.number(flag, 0.0) for flag, label in flags.items() if parsed.has(flag)}
    if "rlnImagePixelSize" in known:
        known["rlnMicrographPixelSize"] = known["rlnImagePixelSize"]
    box_px = int(parsed.number("--box", 0.0))
    for warning in convert(parsed.text("--i"), parsed.text("--o"), known, box_px):
        print(f" WARNING: {warning}", file=sys.stderr)
    print(f" Written: {parsed.text('--o')}")
