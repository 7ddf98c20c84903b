"""Thousands of tiny movies through a live session, time-compressed: does anything grow?

    python benchmarks/live_many.py FOLDER [--movies 20000] [--per-look 50]

Stages are the fakes of tests/live (real lists and names, a millisecond of work). Prints, per thousand
movies: CPU seconds of the session's own process per movie, its memory, open files, and the time and size
of a status file. All must stay flat.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "live"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--movies", type=int, default=20000)
    parser.add_argument("--per-look", type=int, default=50)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--publish-s", type=float, default=30.0)
    given = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    stages = (
        "MotionCorr:FakeMotion",
        "CtfFind:FakeCtf",
        "AutoPick:FakePicks",
        "Extract:FakeExtract",
    )
    pairs = (each.split(":") for each in stages)
    os.environ["VERGLAS_JOB_TYPES"] = ",".join(f"{k}=fake_stages:{v}" for k, v in pairs)
    given.folder.mkdir(parents=True)
    os.chdir(given.folder)
    run(given.movies, given.per_look, given.every, given.publish_s)
    return 0


def run(movies: int, per_look: int, every: int, publish_s: float) -> None:
    import psutil

    from verglas.jobs.live_intake import Fact, Intake
    from verglas.project.project import Project
    from verglas.scheduler.live.order import LiveOrder
    from verglas.scheduler.live.plan import chain_options, set_up
    from verglas.scheduler.live.session import LiveSession
    from verglas.scheduler.live.telling import tell_status

    project = Project.create(".")
    Path("Movies").mkdir()
    data = _movie_bytes()
    facts = {"pixel-size": 1.5, "kv": 300.0, "cs": 2.7, "amplitude-contrast": 0.1,
             "dose-per-frame": 1.0, "diameter": "20,30"}  # fmt: skip
    intake = Intake("Movies/*.mrc", {key: Fact(value, "given") for key, value in facts.items()})
    order = LiveOrder(workers=1, poll_s=0.2, publish_s=publish_s)
    options = chain_options(intake, {})
    folder = set_up(project, order, intake, options, classes=False, by_beam_shift=False)
    session = LiveSession(project, folder)
    folder.take()
    session._begin()
    me = psutil.Process()
    made, shown, begin, cpu = 0, 0, time.monotonic(), _cpu()
    print(f"{'movies':>7} {'ms CPU/movie':>12} {'MB':>7} {'files':>6} {'status ms':>9} {'status kB':>9} "
          f"{'lists s':>8} {'wall s':>7}", flush=True)  # fmt: skip
    while session.counts.finished < movies:
        if made < movies and made - session.counts.finished < 2 * per_look:
            for number in range(made, min(movies, made + per_look)):
                Path(f"Movies/m{number:05d}.mrc").write_bytes(data)
            made = min(movies, made + per_look)
        session._turn()
        if session.counts.finished >= shown + every:
            done, shown = session.counts.finished - shown, session.counts.finished
            used, cpu = _cpu() - cpu, _cpu()
            start = time.perf_counter()
            tell_status(session, "running")
            told = (time.perf_counter() - start) * 1e3
            print(
                f"{shown:>7} {used / done * 1e3:>12.2f} {me.memory_info().rss / 1e6:>7.1f} "
                f"{me.num_fds():>6} {told:>9.2f} {folder.status_file.stat().st_size / 1e3:>9.1f} "
                f"{session.listing.cost_s:>8.1f} {time.monotonic() - begin:>7.0f}",
                flush=True,
            )
    session.lanes.close()
    session.listing.lanes.close()
    session.ledger.close()


def _movie_bytes() -> bytes:
    from verglas.formats.movies_write import write_movie_mrc

    path = Path("one.mrc")
    write_movie_mrc(path, np.ones((2, 16, 16), np.int8), 1.5, durable=False)
    data = path.read_bytes()
    path.unlink()
    return data


def _cpu() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    sys.exit(main())
