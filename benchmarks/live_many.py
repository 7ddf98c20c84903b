"""Thousands of tiny movies through a live session, time-compressed: does anything grow?

    python benchmarks/live_many.py FOLDER [--movies 20000] [--per-look 50] [--begin-with 19900]

Stages are the fakes of tests/live (real lists and names, a millisecond of work). Printed, per so many
movies: CPU milliseconds of the session's own process per movie; those of the process that keeps the lists,
for the two movies that come between two changes of the lists at 700 per hour, and its share of rebuilding
everything (per movie that is new since the rebuild before); memory of both, open files, and CPU time and
size of a status file. All must stay flat. `--begin-with` makes a session that has so many finished movies
already (the files of one, under other names), to look at its cost without waiting for them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verglas.project.project import Project
    from verglas.scheduler.live.record.order import LiveFolder
    from verglas.scheduler.live.session.session import LiveSession

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "live"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--movies", type=int, default=20000)
    parser.add_argument("--per-look", type=int, default=50)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--publish-s", type=float, default=30.0)
    parser.add_argument("--begin-with", type=int, default=0)
    given = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    stages = ("MotionCorr:FakeMotion", "CtfFind:FakeCtf", "AutoPick:FakePicks", "Extract:FakeExtract")
    pairs = (each.split(":") for each in stages)
    os.environ["VERGLAS_JOB_TYPES"] = ",".join(f"{k}=fake_stages:{v}" for k, v in pairs)
    given.folder.mkdir(parents=True)
    os.chdir(given.folder)
    run(given.movies, given.per_look, given.every, given.publish_s, given.begin_with)
    return 0


def run(movies: int, per_look: int, every: int, publish_s: float, begin_with: int) -> None:
    import psutil

    from verglas.project.project import Project
    from verglas.scheduler.live.publishing.process import GROWTH
    from verglas.scheduler.live.record.order import LiveOrder
    from verglas.scheduler.live.requests.facts import Fact, Intake
    from verglas.scheduler.live.requests.first_options import chain_options, set_up
    from verglas.scheduler.live.session.session import LiveSession
    from verglas.scheduler.live.session.telling import tell_status

    project = Project.create(".")
    Path("Movies").mkdir()
    facts = {
        "pixel-size": 1.5,
        "kv": 300.0,
        "cs": 2.7,
        "amplitude-contrast": 0.1,
        "dose-per-frame": 1.0,
        "diameter": "20,30",
    }
    intake = Intake("Movies/*.mrc", {key: Fact(value, "given") for key, value in facts.items()})
    order = LiveOrder(workers=1, poll_s=0.2, publish_s=publish_s)
    options = chain_options(intake, {})
    folder = set_up(project, order, intake, options, classes=False, by_beam_shift=False)
    if begin_with:
        populate(project, folder, begin_with, per_look)
    session = LiveSession(project, folder)
    folder.take()
    session._begin()
    me, feed = psutil.Process(), _Feed(session, per_look, begin_with)
    feed.until(begin_with)
    feed.current()
    begin, cpu, shown = time.monotonic(), _cpu(), begin_with
    print(
        f"{'movies':>7} {'session ms':>10} {'lists ms':>8} {'rebuild ms':>10} {'MB':>6} {'lists MB':>8} "
        f"{'files':>5} {'status ms':>9} {'status kB':>9} {'wall s':>7}",
        flush=True,
    )
    while shown < movies:
        shown += every
        feed.until(shown)
        used = (_cpu() - cpu) / every
        lists_s = feed.two_more()
        start = time.process_time()
        tell_status(session, "running")
        told = time.process_time() - start
        keeper = psutil.Process(session.listing.lanes.lanes[0].worker.process.pid)
        print(
            f"{shown:>7} {1e3 * used:>10.2f} {1e3 * lists_s / 2:>8.1f} "
            f"{1e3 * session.listing.rebuild_s / max(5, GROWTH * shown):>10.1f} "
            f"{me.memory_info().rss / 1e6:>6.0f} {keeper.memory_info().rss / 1e6:>8.0f} "
            f"{me.num_fds():>5} {1e3 * told:>9.2f} {folder.status_file.stat().st_size / 1e3:>9.1f} "
            f"{time.monotonic() - begin:>7.0f}",
            flush=True,
        )
        cpu = _cpu()
    session.close()


def populate(project: Project, folder: LiveFolder, count: int, per_look: int) -> None:
    """Finished movies: one goes through the session, the others get copies of its files."""
    from verglas.scheduler.live.session.session import LiveSession

    session = LiveSession(project, folder)
    folder.take()
    session._begin()
    feed = _Feed(session, per_look, 0)
    feed.until(1)
    feed.current()
    session.close()
    made = [path for job in folder.order().jobs.values() for path in Path(job).rglob("*m00000*")]
    texts = {path: path.read_bytes() for path in made if not path.is_symlink()}
    lines = folder.journal.read_text()
    with open(folder.journal, "a") as journal:
        for number in range(1, count):
            name = f"m{number:05d}"
            for path, data in texts.items():
                other = path.with_name(path.name.replace("m00000", name))
                other.write_bytes(data.replace(b"m00000", name.encode()))
            os.link("Movies/m00000.mrc", f"Movies/{name}.mrc")
            journal.write(lines.replace("m00000", name).replace('"m": 1,', f'"m": {number + 1},'))


class _Feed:
    """Writes movies as fast as they are treated."""

    def __init__(self, session: LiveSession, per_look: int, made: int) -> None:
        self.session, self.per_look = session, per_look
        self.data, self.made = _movie_bytes(), made

    def until(self, movies: int) -> None:
        """Go on until so many are through all stages."""
        while self.session.known.counts.finished < movies:
            if self.made - self.session.known.counts.finished < 2 * self.per_look:
                for _ in range(min(self.per_look, movies - self.made)):
                    Path(f"Movies/m{self.made:05d}.mrc").write_bytes(self.data)
                    self.made += 1
            self.session._turn()

    def two_more(self) -> float:
        """CPU seconds of the change of the lists that two more movies make."""
        listing = self.session.listing
        self.current()
        self.until(self.session.known.counts.finished + 2)
        for _ in range(3):  # the first one may rebuild everything
            listing.cost_s = 0.0
            self.current()
            if listing.cost_s:
                return listing.cost_s
            self.until(self.session.known.counts.finished + 2)
        return listing.cost_s

    def current(self) -> None:
        """Until the lists hold all that is known."""
        listing, pause_s = self.session.listing, self.session.order.publish_s
        while not listing.is_current:
            listing.begun_s = min(listing.begun_s, time.monotonic() - 2 * pause_s)
            self.session._turn()


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
