"""`verglas ingest SOURCE DEST`: copy movies so that only complete ones ever appear."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, obey, split_words

if TYPE_CHECKING:
    from verglas.scheduler.ingest import Ingest

_HELP = """verglas ingest SOURCE DEST [--pattern '*.tif'] [--watch] [--move] [--checksum xxh3] [--every S]
Copy files from the microscope's disc into the project: under a temporary name, verified, flushed to the
disc, then renamed, so that an Import never sees half a file. Folders keep their structure.
  --pattern '*.tif,*.eer'  which files (default: all)
  --watch                  go on until stopped; a share that vanishes is waited for
  --move                   delete at the source after the copy was read back and its checksum agreed
  --checksum xxh3          read every copy back and compare (always done with --move)
Stopping and starting again is safe: what is there already is not copied again."""
_FLAGS = {"--pattern": True, "--watch": False, "--move": False, "--checksum": True, "--every": True}


def main(words: Sequence[str]) -> int:
    """Returns 0, or 1 if files could not be copied."""
    return obey("ingest", words, _HELP, _ingest, ())


def _ingest(words: list[str]) -> int:
    from verglas.scheduler.ingest import Ingest

    parsed = split_words(words, _FLAGS)
    if len(parsed.positional) != 2:
        raise CommandError("name the source folder and the destination folder")
    if parsed.text("--checksum", "xxh3") != "xxh3":
        raise CommandError(f"--checksum {parsed.text('--checksum')}: known is xxh3")
    source, destination = (Path(each) for each in parsed.positional)
    pause_s = parsed.number("--every", 2.0)
    if not source.is_dir() and not parsed.has("--watch"):
        raise CommandError(f"{source} is not a folder")
    ingest = Ingest(
        source,
        destination,
        patterns=tuple(parsed.text("--pattern", "*").split(",")),
        move=parsed.has("--move"),
        checksum=parsed.has("--checksum"),
        floor_gb=_floor_gb(destination),
        say=_say,
    )
    return _work(ingest, parsed.has("--watch"), pause_s)


def _floor_gb(destination: Path) -> float:
    """What the project that the destination lies in wants to keep free; the default outside of one."""
    from verglas.project.project import OWN_FOLDER
    from verglas.scheduler.settings import load_settings

    folders = destination.resolve().parents
    root = next((each for each in folders if (each / OWN_FOLDER).is_dir()), destination)
    return load_settings(root).ingest_floor_gb


def _work(ingest: Ingest, watch: bool, pause_s: float) -> int:
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, frame: stopped.append(got))
    if watch:
        ingest.watch(lambda: bool(stopped), pause_s)
    else:
        ingest.once()
        if ingest.tally.waiting:  # only just seen: look once more, after a pause
            time.sleep(pause_s)
            ingest.once()
    print(ingest.status_line())
    for name, why in ingest.tally.waiting.items():
        print(f"  {name}: {why}")
    return 1 if ingest.tally.waiting and not watch else 0


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
