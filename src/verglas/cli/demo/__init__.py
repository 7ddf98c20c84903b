"""`verglas demo`: a simulated session, processed by a schedule of six jobs (with --three-d eight) in two rounds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(words: Sequence[str]) -> int:
    """Returns 0 when all figures keep their bounds, 1 when one misses or a job failed, 2 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="verglas demo",
        description="Simulate a session of movies with known truth, process it through a schedule "
        "that runs twice while movies arrive, and compare what was found with the truth.",
    )
    parser.add_argument("directory", nargs="?", default="verglas-demo", type=Path)
    parser.add_argument("--quick", action="store_true", help="four small movies: about a minute")
    parser.add_argument(
        "--three-d", action="store_true", help="the schedule goes on: a map from nothing, refined"
    )
    parser.add_argument("--live", action="store_true", help="movies arrive one by one")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between movies (--live)")
    parser.add_argument("--no-pages", action="store_true", help="do not open the session page (--live)")
    parsed = parser.parse_args(list(words[1:]))
    if parsed.live:
        from verglas.cli.demo.live import run_live_demo

        try:
            return run_live_demo(
                parsed.directory, quick=parsed.quick, every_s=parsed.every, pages=not parsed.no_pages
            )
        except KeyboardInterrupt:
            print("\nstopped looking; the same command goes on", file=sys.stderr)
            return 2
    from verglas.cli.demo.run import run_demo

    try:
        return run_demo(parsed.directory, quick=parsed.quick, three_d=parsed.three_d)
    except FileExistsError as error:
        print(f"verglas demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it was", file=sys.stderr)
        return 2
