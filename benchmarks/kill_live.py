"""Kill random processes of a live session with SIGKILL and compare the end with a quiet run.

    python benchmarks/kill_live.py FOLDER [--kills 40] [--movies 120] [--seed 1] [--pause 2]

Any process may be hit: the session, its workers, the one that rebuilds the lists, the supervisor. Movies
arrive meanwhile; nobody does anything by hand. In the end the lists must have the same bytes as those of a
quiet run, and every file of every micrograph must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from kill_autorun import _processes
from live_many import TESTS, _movie_bytes

RECORDS = (".verglas", "RELION_JOB", "run.", "note", "job", "default", "logfile", "summary.html")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--movies", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds between kills")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, str(TESTS))
    stages = (
        "MotionCorr:FakeMotion",
        "CtfFind:FakeCtf",
        "AutoPick:FakePicks",
        "Extract:FakeExtract",
    )
    pairs = (each.split(":") for each in stages)
    os.environ["VERGLAS_JOB_TYPES"] = ",".join(f"{k}=fake_stages:{v}" for k, v in pairs)
    os.environ["FAKE_STAGE_S"] = "0.3"
    given.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(given.folder)
    data = _movie_bytes()
    quiet, _ = session(given.folder.resolve() / "quiet", data, given.movies, 0, given)
    killed, kills = session(
        given.folder.resolve() / "killed", data, given.movies, given.kills, given
    )
    different = sorted(name for name in {*quiet, *killed} if quiet.get(name) != killed.get(name))
    report = {
        "kills": kills,
        "files": len(quiet),
        "different": different[:20],
        "same": not different,
    }
    print(json.dumps(report, indent=1))
    return 0 if not different else 1


def session(
    root: Path, data: bytes, movies: int, kills: int, given: argparse.Namespace
) -> tuple[dict[str, bytes], dict[str, int]]:
    """One session from its first movie to its end: results by file, kills by kind."""
    from verglas.jobs.live_intake import Fact, Intake
    from verglas.project.project import Project
    from verglas.scheduler.live.order import LiveOrder
    from verglas.scheduler.live.plan import chain_options, set_up
    from verglas.scheduler.supervisor import ensure_supervisor

    shutil.rmtree(root, ignore_errors=True)
    project = Project.create(root)
    os.chdir(root)
    (root / "Movies").mkdir()
    facts = {"pixel-size": 1.5, "kv": 300.0, "cs": 2.7, "amplitude-contrast": 0.1,
             "dose-per-frame": 1.0, "diameter": "20,30"}  # fmt: skip
    intake = Intake("Movies/*.mrc", {key: Fact(value, "given") for key, value in facts.items()})
    order = LiveOrder(workers=1 if kills == 0 else 2, poll_s=0.2, publish_s=2.0)
    folder = set_up(
        project, order, intake, chain_options(intake, {}), classes=False, by_beam_shift=False
    )
    ensure_supervisor(root)
    chance = random.Random(given.seed)
    done: dict[str, int] = {}
    arrived, deadline = 0, time.monotonic() + 1200
    next_kill = time.monotonic() + 3
    while folder.phase() not in ("finished", "stopped", "failed"):
        if time.monotonic() > deadline:
            raise SystemExit(f"the session does not end: {folder.phase()}")
        if arrived < movies and (kills == 0 or arrived < movies * (sum(done.values()) + 1) / kills):
            (root / f"Movies/.m{arrived:03d}.part").write_bytes(data)
            os.rename(root / f"Movies/.m{arrived:03d}.part", root / f"Movies/m{arrived:03d}.mrc")
            arrived += 1
        over = arrived == movies and sum(done.values()) >= kills
        if over and folder.wished() != "finish":
            folder.wish("finish")
        if not over and sum(done.values()) < kills and time.monotonic() > next_kill:
            kill_one(root, chance, done)
            next_kill = time.monotonic() + chance.expovariate(1 / given.pause)
        time.sleep(0.05)
    return results(root), done


def kill_one(root: Path, chance: random.Random, done: dict[str, int]) -> None:
    """SIGKILL to a process; one of session and supervisor is left to start the other."""
    found = [(pid, kind) for pid, kind in all_processes(root)]
    kinds = sorted({kind for _, kind in found})
    if not kinds:
        return
    kind = chance.choice(kinds)
    if kind in ("session", "supervisor") and not {"session", "supervisor"} <= set(kinds):
        return
    try:
        os.kill(chance.choice([pid for pid, each in found if each == kind]), signal.SIGKILL)
    except ProcessLookupError:
        return
    done[kind] = done.get(kind, 0) + 1


def all_processes(root: Path) -> list[tuple[int, str]]:
    """Processes of the project by what they do."""
    found = [each for each in _processes(root) if each[1] in ("supervisor", "worker")]
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"live" in words and b"work" in words and (entry / "cwd").resolve() == root:
                found.append((int(entry.name), "session"))
        except (OSError, ValueError):
            continue
    return found


def results(root: Path) -> dict[str, bytes]:
    """Every result of the chain, but not the records of how it came to be."""
    found = {}
    for folder in ("Import", "MotionCorr", "CtfFind", "AutoPick", "Select", "Extract"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.name.startswith(RECORDS):
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


if __name__ == "__main__":
    sys.exit(main())
