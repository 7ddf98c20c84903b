"""Kill random processes of a running Autorun with SIGKILL and compare the end with a quiet run.

    python benchmarks/kill_autorun.py --kills 200 --seed 1
    python benchmarks/kill_autorun.py --real --kills 40 --pause 3 --movies 6

Every process of the schedule may be hit: the scheduler, the jobs, their workers, and the supervisor
(which the scheduler restarts, as the supervisor restarts the scheduler). Afterwards nobody does anything
by hand: the schedule must reach its end, Import to Extract must hold the same rows and images as the
quiet run, the classification must be identical.

By default the movies are tiny texts and the job types the fakes of the tests, so that 200 kills take
minutes. With --real the movies are simulated and every job from Import to Class2D (with a fixed seed) is the
real one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

TESTS = Path(__file__).parents[1] / "tests"
RECORDS = (".verglas", "RELION_JOB", "run.", "run_progress", "note", "job", "default", "logfile", "summary")


@dataclass
class Tally:
    """What was done to the schedule and how it took it."""

    kills: dict[str, int] = field(default_factory=dict)
    restarts_s: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.kills.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/verglas-kill"))
    parser.add_argument("--movies", type=int, default=12)
    parser.add_argument("--pause", type=float, default=0.8, help="mean seconds between kills")
    parser.add_argument("--real", action="store_true", help="real jobs on simulated movies")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.real:
        microscope = SimulatedMovies(arguments.folder / "microscope", arguments.movies)
    else:
        _use_fakes()
        microscope = Texts()
    report = run(
        arguments.folder, microscope, arguments.kills, arguments.seed, arguments.movies, arguments.pause
    )
    print(json.dumps(report, indent=1))
    return 0 if report["same"] else 1


class Microscope(Protocol):
    """What the schedule works on."""

    def chain_in(self, folder: Path) -> list[str]:
        """A new project with its jobs scheduled."""

    def arrive(self, folder: Path, numbers: Sequence[int]) -> None:
        """Movies of these numbers are there, each under its final name only when complete."""


class Texts:
    """Tiny texts as movies, the tests' fakes as job types."""

    def chain_in(self, folder: Path) -> list[str]:
        return chain_in(folder, slow="2")

    def arrive(self, folder: Path, numbers: Sequence[int]) -> None:
        for number in numbers:
            final = folder / "Movies" / f"movie{number:03d}.txt"
            if not final.exists():
                temporary = final.with_name(f".{final.name}.part")
                temporary.write_text(f"{number} slow")
                temporary.rename(final)


class SimulatedMovies:
    """A small simulated session and the real chain from Import to Class2D."""

    def __init__(self, store: Path, n_movies: int) -> None:
        from verglas.cli.demo.plan import DemoPlan
        from verglas.jobs.simulate.session import write_session

        quick = DemoPlan.quick()
        self.plan = replace(quick, session=replace(quick.session, movies=n_movies))
        self.store = store
        self.movies = write_session(store, self.plan.session, workers=2)

    def chain_in(self, folder: Path) -> list[str]:
        from verglas.project.project import Project
        from verglas.project.registration import class_for, register

        project = Project.create(folder)
        shutil.copyfile(self.store / "gain.mrc", folder / "gain.mrc")
        names = []
        for kind, values in self.plan.chain(cores=2):
            if kind == "Class2D":
                values = {**values, "other_args": "--random_seed 1"}
            job = class_for(kind)
            names.append(register(project, job, job.Options.checked(values)))
        return names

    def arrive(self, folder: Path, numbers: Sequence[int]) -> None:
        from verglas.jobs.simulate.session import deliver

        deliver([self.movies[number] for number in numbers], folder / "Movies")


def run(
    folder: Path, microscope: Microscope, kills: int, seed: int, n_movies: int, pause_s: float
) -> dict[str, object]:
    """Both runs and their comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet, _ = _session(folder / "quiet", microscope, n_movies, None, random.Random(seed), pause_s, 2)
    killed, tally = _session(folder / "killed", microscope, n_movies, kills, random.Random(seed), pause_s, 2)
    differences = sorted(name for name in quiet.keys() | killed.keys() if quiet.get(name) != killed.get(name))
    return {
        "same": not differences,
        "differences": differences[:10],
        "files compared": len(quiet),
        "kills": tally.kills,
        "kills in all": tally.total,
        "longest until the schedule was alive again (s)": round(max(tally.restarts_s, default=0.0), 2),
    }


def _session(
    folder: Path,
    microscope: Microscope,
    n_movies: int,
    kills: int | None,
    chance: random.Random,
    pause_s: float,
    rounds: int,
) -> tuple[dict[str, str], Tally]:
    """A schedule over movies that arrive during it; returns its result files and the kills."""
    from verglas.project.project import Project
    from verglas.scheduler.schedule import Order, ScheduleFolder
    from verglas.scheduler.supervisor import begin_work

    names = microscope.chain_in(folder)
    project = Project.open(folder)
    tally = Tally()
    microscope.arrive(folder, range(n_movies // 2))
    schedule = ScheduleFolder(project.root, "night")
    number = 0
    while True:  # as many schedules as it takes to place all kills, then one in peace
        number += 1
        last = kills is None or tally.total >= kills
        if last:
            microscope.arrive(folder, range(n_movies))
        schedule.create(Order("night", tuple(names), rounds, 0.0, on_failure="retry-next-round"))
        begin_work(schedule)
        _watch(schedule, None if last else kills, tally, chance, pause_s)
        if schedule.progress().phase != "done":
            raise SystemExit(f"the schedule ended as {schedule.progress()}")
        if last:
            return _results(folder, names), tally
        microscope.arrive(folder, range(min(n_movies, n_movies // 2 + number)))


def chain_in(folder: Path, slow: str) -> list[str]:
    """A new project with Import, MotionCorr and Class2D scheduled."""
    from verglas.project.project import Project
    from verglas.project.registration import class_for, register

    project = Project.create(folder)
    (folder / "Movies").mkdir(exist_ok=True)
    (folder / "orders").mkdir(exist_ok=True)
    (folder / "orders/class2d.slow").write_text(slow)

    def add(kind: str, **values: str) -> str:
        job = class_for(kind)
        return register(project, job, job.Options.parse(values)[0])

    names = [add("Import")]
    names.append(add("MotionCorr", input_star_mics=f"{names[0]}movies.star"))
    names.append(add("Class2D", fn_img=f"{names[1]}corrected_micrographs.star"))
    return names


def _watch(schedule, kills: int | None, tally: Tally, chance: random.Random, pause_s: float) -> None:
    """Kill until the schedule is over (or all kills are done), and time its revivals."""
    deadline = time.monotonic() + 900
    while not schedule.progress().is_over:
        if time.monotonic() > deadline:
            raise SystemExit(f"the schedule does not end: {schedule.progress()}")
        if kills is None or tally.total >= kills:
            time.sleep(0.2)
            continue
        time.sleep(chance.expovariate(1 / pause_s))
        victims = _processes(schedule.root)
        if not victims or schedule.progress().is_over:
            continue
        kind = chance.choice(sorted({each for _, each in victims}))
        pid = chance.choice([pid for pid, each in victims if each == kind])
        if kind == "supervisor" and not schedule.lease.is_held():
            continue  # one of the two must be left to start the other; beyond that it takes systemd
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        tally.kills[kind] = tally.kills.get(kind, 0) + 1
        if kind in ("scheduler", "supervisor"):
            tally.restarts_s.append(_until_alive(schedule, kind, pid))


def _until_alive(schedule, kind: str, dead: int) -> float:
    """Seconds until a process of this kind is there again."""
    begin = time.monotonic()
    while not schedule.progress().is_over:
        if any(each == kind and pid != dead for pid, each in _processes(schedule.root)):
            break
        if time.monotonic() - begin > 60:
            raise SystemExit(f"the {kind} was not started again within a minute")
        time.sleep(0.02)
    return time.monotonic() - begin


def _processes(root: Path) -> list[tuple[int, str]]:
    """Processes of this project, by what they do."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (entry / "cwd").resolve() != root:
                continue
        except OSError:
            continue
        kind = _kind(words)
        if kind:
            found.append((int(entry.name), kind))
    return found


def _kind(words: list[bytes]) -> str:
    if b"work" in words and b"autorun" in words:
        return "scheduler"
    if b"supervise" in words:
        return "supervisor"
    if b"verglas.cli.main" in words and b"run" in words:
        return "job"
    if any(b"spawn_main" in word for word in words):
        return "worker"
    return ""


def _results(folder: Path, names: list[str]) -> dict[str, str]:
    """Every result file's digest, but not of the records of how it came to be."""
    found = {}
    for name in names:
        for path in sorted((folder / name).rglob("*")):
            relative = str(path.relative_to(folder))
            if path.is_file() and not path.name.startswith(RECORDS):
                found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _use_fakes() -> None:
    sys.path.insert(0, str(TESTS))
    from fake_project import FAKES

    os.environ["VERGLAS_JOB_TYPES"] = ",".join(f"{key}={value}" for key, value in FAKES.items())
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])


if __name__ == "__main__":
    sys.exit(main())
