"""How long a movie takes from complete file to extracted particles, at several arrival rates.

    python benchmarks/live_latency.py FOLDER [--intervals 20 10 6 0] [--movies 8] [--workers 2] [--no-2d]

A few movies of the demo's simulated session are made first (kept in FOLDER for the next call); copies of them
are delivered to a live session that runs detached, as a user's does. The pure compute time of one movie is
what its four stages take while nothing else is there. Then `--movies` copies arrive at every interval
(seconds; 0: all at once, which gives the movies per hour). Latency is counted from the renaming of the file
to the writing of its particles. 2D classes are on, and take what the movies leave.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verglas.project.project import Project
    from verglas.scheduler.live.record.order import LiveFolder

SIMULATED = 4
ALONE = 3  # movies that come one at a time for the pure compute time, after the first
TIMEOUT_S = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--intervals", type=float, nargs="+", default=[20, 10, 6, 0])
    parser.add_argument("--movies", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-2d", action="store_true")
    parser.add_argument("--simulate", action="store_true", help="make the movies and stop")
    given = parser.parse_args()
    home = given.folder.resolve()
    store = simulated(home)
    if given.simulate:
        return
    microscope = Microscope(store, begun(home, given))
    microscope.deliver(1, 0)  # what is done once: compiling, reading the gain
    microscope.deliver(ALONE, None)
    pure_s = statistics.median(microscope.compute_s()[1:])
    print(f"pure compute of one movie {pure_s:.2f} s; wanted at most {2 * pure_s + 5:.1f} s", flush=True)
    for interval in given.intervals:
        begin = time.monotonic()
        latencies = microscope.deliver(given.movies, interval)
        took_s = time.monotonic() - begin
        kept = sum(each <= 2 * pure_s + 5 for each in latencies)
        row = {
            "interval_s": interval,
            "median_s": round(statistics.median(latencies), 1),
            "worst_s": round(max(latencies), 1),
            "in_time": f"{kept} of {len(latencies)}",
            "waiting_s": round(_median_difference(latencies, microscope.compute_s()), 1),
            "movies_per_hour": round(3600 * len(latencies) / took_s),
        }
        print(json.dumps(row), flush=True)
    microscope.folder.wish("stop")


def simulated(home: Path) -> list[Path]:
    """Some movies of the demo, and the gain beside them."""
    from verglas.cli.demo.plan import DemoPlan
    from verglas.jobs.simulate.session import write_session

    settings = replace(DemoPlan().session, movies=SIMULATED)
    return write_session(home / "session", settings, workers=2)


def begun(home: Path, given: argparse.Namespace) -> LiveFolder:
    """A session at work on an empty folder."""
    from verglas.cli.demo.plan import PARTICLE_DIAMETER_ANGST, DemoPlan
    from verglas.project.project import Project
    from verglas.scheduler.live.record.order import LiveOrder
    from verglas.scheduler.live.requests.facts import Fact, Intake
    from verglas.scheduler.live.requests.first_options import chain_options, set_up
    from verglas.scheduler.supervisor import ensure_supervisor

    shutil.rmtree(home / "project", ignore_errors=True)
    project: Project = Project.create(home / "project")
    (project.root / "Movies").mkdir()
    os.chdir(project.root)
    session = DemoPlan().session
    facts: dict[str, float | str] = {
        "pixel-size": session.pixel_size_angst,
        "kv": session.voltage_kv,
        "cs": session.cs_mm,
        "amplitude-contrast": session.amplitude_contrast,
        "gain": str(home / "session/gain.mrc"),
        "dose-per-frame": session.dose_per_frame_e_a2,
        "diameter": f"{0.75 * PARTICLE_DIAMETER_ANGST:g},{PARTICLE_DIAMETER_ANGST:g}",
    }
    intake = Intake(f"Movies/*.{session.format}")
    intake.facts = {key: Fact(value, "the simulated microscope") for key, value in facts.items()}
    options = chain_options(intake, {"Class2D": {"nr_classes": "12"}})
    order = LiveOrder(workers=given.workers)
    folder = set_up(project, order, intake, options, classes=not given.no_2d, by_beam_shift=False)
    ensure_supervisor(project.root)
    return folder


@dataclass
class Microscope:
    """Delivers copies of movies to the session and watches what becomes of them."""

    store: list[Path]
    folder: LiveFolder
    delivered: int = 0

    def deliver(self, count: int, interval_s: float | None) -> list[float]:
        """Latencies of so many movies; None: the next one when the one before is through."""
        known: dict[Path, float] = {}
        due = time.monotonic()
        for _ in range(count):
            if interval_s is not None:
                time.sleep(max(0.0, due - time.monotonic()))
                due += interval_s
            self.delivered += 1
            movies = self.folder.root / "Movies"
            source = self.store[self.delivered % len(self.store)]
            name = f"m{self.delivered:04d}{source.suffix}"
            shutil.copyfile(source, movies / f".{name}.part")
            os.rename(movies / f".{name}.part", movies / name)
            result = self.folder.root / self.folder.order().jobs["Extract"] / "Movies"
            known[result / f"m{self.delivered:04d}_extract.star"] = time.time()
            if interval_s is None:
                _wait(list(known))
        _wait(list(known))
        return [path.stat().st_mtime - begin for path, begin in known.items()]

    def compute_s(self) -> list[float]:
        """Seconds that the stages of every movie took, in the order of taking."""
        spent: dict[int, float] = {}
        lines = self.folder.journal.read_text().splitlines()
        for line in map(json.loads, lines):
            if line["k"] == "done":
                spent[line["m"]] = spent.get(line["m"], 0.0) + line["s"]
        return list(spent.values())


def _median_difference(latencies: list[float], compute_s: list[float]) -> float:
    """What of the latencies was not the movies' own stages."""
    own = compute_s[-len(latencies) :]
    return statistics.median(each - mine for each, mine in zip(latencies, own, strict=True))


def _wait(paths: list[Path]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not all(path.exists() for path in paths):
        if time.monotonic() > deadline:
            raise SystemExit(f"{[path.name for path in paths if not path.exists()]} do not come")
        time.sleep(0.1)
    time.sleep(0.5)  # the journal's line


if __name__ == "__main__":
    main()
