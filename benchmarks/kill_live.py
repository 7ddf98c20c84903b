"""Kill random processes of a live session with SIGKILL and compare the end with a quiet run.

    python benchmarks/kill_live.py FOLDER [--kills 40] [--movies 120] [--seed 1] [--pause 2]
    python benchmarks/kill_live.py FOLDER --maps --kills 25
    python benchmarks/kill_live.py FOLDER --real --kills 12 --movies 24 --pause 8

Any process may be hit: the session, its workers, the one that rebuilds the lists, the supervisor. Movies
arrive meanwhile; nobody does anything by hand. In the end the lists must have the same bytes as those of a
quiet run, and every file of every micrograph must be the same.

The stages are the tests' stand-ins, so that many kills take minutes. With --maps the session goes on to a
map, whose jobs are stand-ins, too, and may be hit like all others; it must end with the same particles. With
--real they are the real ones, on small simulated movies, and 2D classes are updated meanwhile (and may be hit,
too, some of the kills while the last classification runs). Its classes are compared by their NMI with the true
views, which must not differ by more than 0.02.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from kill_autorun import _processes
from live_many import TESTS, _movie_bytes

REAL_KINDS = ("supervisor", "worker", "job")
KILLS_AT_END = 2  # while the last classification runs
KILLS_AT_END_OF_MAP = 5  # while its last jobs run
NMI_TOLERANCE = 0.02
RECORDS = (".verglas", "RELION_JOB", "run.", "note", "job", "default", "logfile", "summary.html")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--movies", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds between kills")
    parser.add_argument("--maps", action="store_true", help="a map beside the stand-ins")
    parser.add_argument("--real", action="store_true", help="real stages and 2D classes")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    home = given.folder.resolve()
    os.chdir(home)
    if given.real:
        microscope: TinyMovies | SimulatedMovies = SimulatedMovies(home / "microscope", given.movies)
    else:
        microscope = TinyMovies(maps=given.maps)
    return judged(home, microscope, given)


def judged(home: Path, microscope: TinyMovies | SimulatedMovies, given: argparse.Namespace) -> int:
    """Two sessions, one of them killed again and again; 0 where both end the same."""
    quiet, _ = session(home / "quiet", microscope, 0, given)
    killed, kills = session(home / "killed", microscope, given.kills, given)
    different = sorted(name for name in {*quiet, *killed} if quiet.get(name) != killed.get(name))
    scores = [microscope.scores(home / name) for name in ("quiet", "killed")]
    near = abs(scores[0].get("nmi", 0.0) - scores[1].get("nmi", 0.0)) <= NMI_TOLERANCE
    report = {
        "kills": kills,
        "files": len(quiet),
        "different": different[:20],
        "same": not different,
        "classes": dict(zip(("quiet", "killed"), scores)),
    }
    print(json.dumps(report, indent=1))
    return 0 if not different and near else 1


class TinyMovies:
    """Movies of a few bytes for the stand-ins of the tests."""

    kinds: tuple[str, ...] = ("supervisor", "worker")
    kills_at_end = 0
    ending = "mrc"

    def __init__(self, *, maps: bool = False) -> None:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        sys.path.insert(0, str(TESTS))
        names = {"MotionCorr": "Motion", "CtfFind": "Ctf", "AutoPick": "Picks", "Extract": "Extract"}
        fakes = {kind: f"fake_stages:Fake{name}" for kind, name in names.items()}
        if maps:
            import fake_maps

            fakes |= fake_maps.FAKES
            os.environ["FAKE_MAP_S"] = "3"
            self.kinds, self.kills_at_end = REAL_KINDS, KILLS_AT_END_OF_MAP
        os.environ["VERGLAS_JOB_TYPES"] = ",".join(f"{kind}={where}" for kind, where in fakes.items())
        os.environ["FAKE_STAGE_S"] = "0.3"
        self.data = _movie_bytes()
        self.facts: dict[str, float | str] = {
            "pixel-size": 1.5,
            "kv": 300.0,
            "cs": 2.7,
            "amplitude-contrast": 0.1,
            "dose-per-frame": 1.0,
            "diameter": "20,30",
        }
        self.options: dict[str, dict[str, str]] = {}
        self.order: dict[str, Any] = {"three_d": "on" if maps else "off", "map_from": 10}

    def movie(self, number: int) -> tuple[str, bytes]:
        return f"m{number:03d}.{self.ending}", self.data

    def scores(self, root: Path) -> dict[str, float]:
        return {}


class SimulatedMovies:
    """Small movies with known truth for the real stages, 2D classes with them."""

    kinds = REAL_KINDS
    kills_at_end = KILLS_AT_END

    def __init__(self, store: Path, movies: int) -> None:
        from verglas.cli.demo.plan import PARTICLE_DIAMETER_ANGST, DemoPlan
        from verglas.jobs.simulate.session import write_session

        self.settings = replace(DemoPlan.quick().session, movies=movies)
        self.store, self.ending = store, self.settings.format
        self.movies = write_session(store, self.settings, workers=1)
        self.facts: dict[str, float | str] = {
            "pixel-size": self.settings.pixel_size_angst,
            "kv": self.settings.voltage_kv,
            "cs": self.settings.cs_mm,
            "amplitude-contrast": self.settings.amplitude_contrast,
            "gain": str(store / "gain.mrc"),
            "dose-per-frame": self.settings.dose_per_frame_e_a2,
            "diameter": f"{0.75 * PARTICLE_DIAMETER_ANGST:g},{PARTICLE_DIAMETER_ANGST:g}",
        }
        fixed = {"nr_classes": "8", "nr_iter_grad": "60", "other_args": "--random_seed 1"}
        self.options = {"Class2D": fixed}
        self.order: dict[str, Any] = {"classes_from": 150, "three_d": "off"}

    def movie(self, number: int) -> tuple[str, bytes]:
        return self.movies[number].name, self.movies[number].read_bytes()

    def scores(self, root: Path) -> dict[str, float]:
        """NMI of the final classes with the true views, and how often there were classes before."""
        from verglas.cli.demo.measure import class_scores
        from verglas.scheduler.live.record.class_state import ClassState
        from verglas.scheduler.live.record.order import LiveFolder

        state = ClassState.read(LiveFolder(root, "live1"))
        data = root / state.averages.replace("_classes.mrcs", "_data.star")
        purity, nmi = class_scores(data, self.store / "truth", self.settings.pixel_size_angst)
        return {"nmi": round(nmi, 4), "purity": round(purity, 4), "updates": state.updates}


def session(
    root: Path, microscope: TinyMovies | SimulatedMovies, kills: int, given: argparse.Namespace
) -> tuple[dict[str, str], dict[str, int]]:
    """One session from its first movie to its end: digests of results by file, kills by kind."""
    from verglas.project.project import Project
    from verglas.scheduler.live.record.order import LiveOrder
    from verglas.scheduler.live.requests.facts import Fact, Intake
    from verglas.scheduler.live.requests.first_options import chain_options, set_up
    from verglas.scheduler.supervisor import ensure_supervisor

    shutil.rmtree(root, ignore_errors=True)
    project = Project.create(root)
    os.chdir(root)
    (root / "Movies").mkdir()
    facts = {key: Fact(value, "given") for key, value in microscope.facts.items()}
    intake = Intake(f"Movies/*.{microscope.ending}", facts)
    workers = 1 if kills == 0 else 2
    order = LiveOrder(workers=workers, poll_s=0.2, publish_s=2.0, **microscope.order)
    options = chain_options(intake, microscope.options)
    folder = set_up(project, order, intake, options, classes=bool(microscope.options), by_beam_shift=False)
    ensure_supervisor(root)
    chance = random.Random(given.seed)
    done: dict[str, int] = {}
    early = kills - min(kills, microscope.kills_at_end)
    arrived, deadline = 0, time.monotonic() + 3600
    next_kill = time.monotonic() + 3
    while folder.phase() not in ("finished", "stopped", "failed"):
        if time.monotonic() > deadline:
            raise SystemExit(f"the session does not end: {folder.phase()}")
        hit = sum(done.values())
        if arrived < given.movies and (kills == 0 or arrived < given.movies * (hit + 1) / early):
            name, data = microscope.movie(arrived)
            (root / f"Movies/.{name}.part").write_bytes(data)
            os.rename(root / f"Movies/.{name}.part", root / "Movies" / name)
            arrived += 1
        over = arrived == given.movies and hit >= early
        if over and folder.wished() != "finish":
            folder.wish("finish")
        if hit < (kills if _is_at_its_end(folder) else early) and time.monotonic() > next_kill:
            kill_one(root, microscope.kinds, chance, done)
            next_kill = time.monotonic() + chance.expovariate(1 / given.pause)
        time.sleep(0.05)
    return results(root), done


def _is_at_its_end(folder: Any) -> bool:
    """Whether the session has let go of its jobs, and its last classification or last jobs of the map run."""
    from verglas.jobs.chain import CLASSES, EXTRACTION, MAPS
    from verglas.project.dialect import Status
    from verglas.project.project import Project

    if folder.phase() != "finishing":
        return False
    processes = Project.open(folder.root).graph().processes
    if processes[folder.order().jobs[EXTRACTION]].status is not Status.SUCCEEDED:
        return False
    states = [each.status for each in processes.values() if each.folder in (CLASSES, *MAPS)]
    return Status.RUNNING in states


def kill_one(root: Path, others: tuple[str, ...], chance: random.Random, done: dict[str, int]) -> None:
    """SIGKILL to a process; one of session and supervisor is left to start the other."""
    found = all_processes(root, others)
    kinds = sorted({kind for _, kind in found})
    if not kinds:
        return
    kind = "job" if "job" in kinds and chance.random() < 0.5 else chance.choice(kinds)  # they are rare
    if kind in ("session", "supervisor") and not {"session", "supervisor"} <= set(kinds):
        return
    try:
        os.kill(chance.choice([pid for pid, each in found if each == kind]), signal.SIGKILL)
    except ProcessLookupError:
        return
    done[kind] = done.get(kind, 0) + 1


def all_processes(root: Path, others: tuple[str, ...]) -> list[tuple[int, str]]:
    """Processes of the project by what they do: the session, and those of other kinds."""
    found = [each for each in _processes(root) if each[1] in others]
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"live" in words and b"work" in words and (entry / "cwd").resolve() == root:
                found.append((int(entry.name), "session"))
        except (OSError, ValueError):
            continue
    return found


def results(root: Path) -> dict[str, str]:
    """Digest of every result of the chain, but not of the records of how it came to be."""
    found = {"map": map_of(root)}
    for folder in ("Import", "MotionCorr", "CtfFind", "AutoPick", "Select", "Extract"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.name.startswith(RECORDS):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path.relative_to(root))] = digest
    return found


def map_of(root: Path) -> str:
    """How the map of the session ended: its state, its particles, its last jobs."""
    from verglas.scheduler.live.record.map_state import MapState
    from verglas.scheduler.live.record.order import LiveFolder

    state = MapState.read(LiveFolder(root, "live1"))
    return f"{state.state} {state.particles} {state.initial_job} {state.job} {state.final_jobs}"


if __name__ == "__main__":
    sys.exit(main())
