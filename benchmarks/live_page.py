"""A long night of a live session made up from a short one, to look at its page and to measure it.

    python benchmarks/live_page.py DEMO/project OUT [--movies 600] [--measure]

DEMO/project is what `verglas demo --live` leaves. Its micrographs, picks and spectra are shown under the
names of an EPU session of many squares and holes; figures are drawn at random around those of the demo,
worse on some squares and for an hour in the night. With --measure the page is driven in headless Chromium
and prints how long it takes to show and the longest task while it is used (no more than 200 ms).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.formats.atomic import write_text
from verglas.project.project import Project
from verglas.project.results.classes import gallery
from verglas.scheduler.live.record.chain import change_options
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.settings import load_settings, save_settings

HOLES, PER_HOLE = 24, 3
PORT = 8978
FRONTEND = Path(__file__).parents[1] / "frontend"
NIGHT_S = 11 * 3600.0
PAUSE_S = 1500.0
LIMIT_ANGST = 7.0
_HOLE = (
    "<b:KeyValuePairOfintTargetLocation><b:key>{0}</b:key><b:value><Id>{0}</Id><PixelCenter>"
    "<c:x>{1:.0f}</c:x><c:y>{2:.0f}</c:y></PixelCenter></b:value></b:KeyValuePairOfintTargetLocation>"
)
_SQUARE = (
    '<GridSquareXml xmlns:b="b" xmlns:c="c"><Position><X>{0:.2e}</X><Y>{1:.2e}</Y></Position>'
    "<TargetLocations>{2}</TargetLocations></GridSquareXml>"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--movies", type=int, default=600)
    parser.add_argument("--measure", action="store_true")
    given = parser.parse_args()
    if not given.out.exists():
        make_night(given.demo.resolve(), given.out.resolve(), given.movies)
    return measure(given.out.resolve()) if given.measure else 0


def make_night(demo: Path, out: Path, movies: int) -> None:
    """Copy the demo's project and replace its journal by that of a night."""
    shutil.copytree(demo, out, symlinks=True)
    folder = LiveFolder(out, "demo")
    ledger = Ledger(folder.journal)
    ledger.read()
    rng = np.random.default_rng(5)
    models = [movie for movie in ledger.movies if movie.micrograph and movie.figures.get("picks")]
    _metadata(out, movies, rng)
    lines, events = _journal(out, models, movies, rng)
    folder.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / ".verglas/events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    _status(folder, lines, movies)
    _choices(out, folder)


def _metadata(out: Path, movies: int, rng: np.random.Generator) -> None:
    """EPU's file of every square: holes on a tilted lattice with some missing."""
    (out / "Metadata").mkdir()
    for square in range(-(-movies // (HOLES * PER_HOLE))):
        rows, columns = np.divmod(np.arange(HOLES), 6)
        x, y = 300 + 220 * columns + 40 * rows, 300 + 220 * rows - 40 * columns
        holes = "".join(
            _HOLE.format(1000 * (square + 1) + n, x[n] + rng.normal(0, 6), y[n] + rng.normal(0, 6))
            for n in range(HOLES)
        )
        stage = 85e-6 * np.array([square % 5 - 2, square // 5 - 2])
        text = _SQUARE.format(*stage, holes)
        (out / f"Metadata/GridSquare_{square + 1}.dm").write_text(text)


def _journal(
    out: Path, models: list[Movie], movies: int, rng: np.random.Generator
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    begin = time.time() - NIGHT_S - PAUSE_S
    bad_square = rng.random(1 + movies // (HOLES * PER_HOLE)) * 1.2
    lines: list[dict[str, object]] = []
    events = [_event(begin, "live-started", "0 movies known")]
    for index in range(movies):
        square, rest = divmod(index, HOLES * PER_HOLE)
        hole, area = divmod(rest, PER_HOLE)
        at = begin + NIGHT_S * index / movies + (PAUSE_S if index > 0.6 * movies else 0)
        name = f"Images-Disc1/GridSquare_{square + 1}/Data/FoilHole_{1000 * (square + 1) + hole}_Data_{area}"
        name = f"{name}_20261126_{index:06d}_fractions.tiff"
        lines.append(
            {
                "k": "taken",
                "m": index + 1,
                "name": name,
                "path": name,
                "stamp": "1:1",
                "group": 1,
                "frames": 20,
                "t": round(at, 2),
            }
        )
        if index == movies // 7:
            why = "not complete, or no movie: the file ends in frame 7 of 20"
            lines.append({"k": "aside", "m": index + 1, "stage": "MotionCorr", "why": why})
            events.append(_event(at, "movie-aside", f"{name}: {why}"))
            continue
        if index > movies - 4:
            continue  # on their way
        model = models[index % len(models)]
        _link(out, model, name)
        lines += _done(index, model, name, bad_square[square], index / movies, rng)
    pause = begin + 0.6 * NIGHT_S
    events += [
        _event(begin + 3000, "person", "live thresholds: rlnCtfMaxResolution <= 6", person="ada"),
        _event(pause, "live-paused", ""),
        _event(pause + PAUSE_S, "live-running", ""),
        _event(pause + 1400, "live-problem", "the disc was nearly full: 4 GB free"),
        _event(pause + 1600, "person", "goal: 200,000 good particles", person="grace"),
    ]
    return lines, sorted(events, key=lambda each: str(each["time"]))


def _choices(out: Path, folder: LiveFolder) -> None:
    """A limit in force, a verdict by hand, and the better half of the classes chosen."""
    project, order = Project(out), folder.order()
    change_options(project, order.jobs["Select"], {"thresholds": f"rlnCtfMaxResolution <= {LIMIT_ANGST:g}"})
    state = ClassState.read(folder)
    if state.averages:
        rows = gallery(project, state.averages.replace("_classes.mrcs", "_model.star")).classes
        best = sorted(rows, key=lambda row: row.resolution_angst or 999)[: max(1, len(rows) // 2)]
        state.chosen = sorted(row.number for row in best)
        state.write(folder)
    save_settings(out, replace(load_settings(out), goal_particles=200_000))


def _event(at: float, kind: str, text: str, **more: str) -> dict[str, object]:
    shown = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
    return {"time": shown, "kind": kind, "text": text, **more}


def _link(out: Path, model: Movie, name: str) -> None:
    """The model's files under the movie's name."""
    old, new = model.name.rsplit(".", 1)[0], name.rsplit(".", 1)[0]
    for job in ("MotionCorr/job002", "CtfFind/job003", "AutoPick/job004"):
        for path in (out / job).glob(f"{old}*"):
            link = out / job / (new + path.name.removeprefix(Path(old).name))
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(os.path.relpath(path, link.parent))


def _done(
    index: int, model: Movie, name: str, bad: float, part: float, rng: np.random.Generator
) -> list[dict[str, object]]:
    f = dict(model.figures)
    ice = max(0.0, bad - 0.75) + (0.25 if 0.35 < part < 0.45 else 0.0) + abs(rng.normal(0, 0.03))
    f["ctf_resolution_angst"] = round(3.4 + 6 * ice + rng.gamma(2.0, 0.35), 3)
    f["motion_total_angst"] = round(f["motion_total_angst"] * rng.gamma(9, 0.11), 2)
    f["defocus_u_angst"] = round(rng.uniform(9000, 24000), 1)
    f["astigmatism_angst"] = round(abs(rng.normal(150, 90)), 1)
    f["defocus_v_angst"] = f["defocus_u_angst"] - f["astigmatism_angst"]
    f["ice_ring"] = round(ice, 4)
    f["ctf_merit"] = round(0.3 - 0.15 * ice + rng.normal(0, 0.01), 4)
    f["picks"] = f["particles"] = float(max(0, round(f["picks"] * (1 - ice) + rng.normal(0, 6))))
    micrograph = f"MotionCorr/job002/{name.rsplit('.', 1)[0]}.mrc"
    base = {"k": "done", "m": index + 1, "v": 1, "micrograph": micrograph, "device": "cpu"}
    keys = {
        "MotionCorr": [key for key in f if key.startswith("motion")],
        "AutoPick": ["picks", "pick_merit"],
        "Extract": ["particles"],
    }
    taken = {key for some in keys.values() for key in some}
    keys["CtfFind"] = [key for key in f if key not in taken]
    rows: list[dict[str, object]] = [
        {**base, "stage": stage, "s": 3.0, "figures": {key: f[key] for key in keys[stage]}}
        for stage in ("MotionCorr", "CtfFind", "AutoPick", "Extract")
    ]
    rows[-1]["ready"] = round(float(rng.gamma(6, 6)), 1)
    return rows


def _status(folder: LiveFolder, lines: list[dict[str, object]], movies: int) -> None:
    """As if the session were at work."""
    status = json.loads(folder.status_file.read_text())
    done = [line["figures"] for line in lines if line.get("stage") == "CtfFind"]
    aside = sum(float(row["ctf_resolution_angst"]) > LIMIT_ANGST for row in done)  # type: ignore[index]
    particles = sum(int(line["figures"]["particles"]) for line in lines if line.get("stage") == "Extract")  # type: ignore[index]
    per_hour = round(movies / NIGHT_S * 3600, 1)
    waiting = [
        [
            "Images-Disc1/GridSquare_9/Data/FoilHole_9011_Data_1_fractions.tiff",
            "complete so far; waiting whether it grows",
        ],
        [
            "Images-Disc1/GridSquare_3/Data/FoilHole_3002_Data_7_fractions.tiff",
            "wrong shape: 2048 x 2048 pixels, the first movie has 1440 x 1440",
        ],
    ]
    status |= {
        "phase": "running",
        "message": "",
        "found": movies,
        "accepted": len(done) - aside,
        "set_aside": aside,
        "failed": 1,
        "finished": movies - 4,
        "particles": particles,
        "in_per_hour": per_hour,
        "done_per_hour": per_hour,
        "lag_s": 21.0,
        "latency_s": 34.0,
        "waiting_files": 2,
        "not_taken": waiting,
        "problems": [],
        "source": "Images-Disc*/GridSquare_*/Data/*_[fF]ractions.tiff",
    }
    for stage in status["stages"]:
        stage |= {"done": movies - 4, "waiting": 1, "in_hand": 1}
    folder.status_file.write_text(json.dumps(status))
    (folder.path / "state.json").write_text('{"phase": "running", "message": ""}')
    order = json.loads((folder.path / "order.json").read_text())
    order["wildcard"] = status["source"]
    (folder.path / "order.json").write_text(json.dumps(order))


def measure(project: Path) -> int:
    """Serve and drive the page; prints what the script found."""
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(project), "--port", str(PORT)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        base = server.stdout.readline().split()[-1].rstrip("/")
        time.sleep(2)
        threading.Thread(target=_work, args=(project,), daemon=True).start()
        script = str(FRONTEND / "tests/measure_live.mjs")
        return subprocess.run(["node", script, base], timeout=300, check=False).returncode
    finally:
        server.terminate()
        server.wait(20)


def _work(project: Path) -> None:
    """What a session does to its files: a status every two seconds, a movie every four."""
    folder, last = LiveFolder(project, "demo"), 0
    ledger = Ledger(folder.journal)
    ledger.read()
    while True:
        time.sleep(2.0)
        status = json.loads(folder.status_file.read_text())
        write_text(folder.status_file, json.dumps(status | {"updated": time.time()}), durable=False)
        last += 1
        if last % 2:
            ledger.take(f"Movies/late_{time.time_ns()}.tiff", "", "1:1", frames=20)


if __name__ == "__main__":
    sys.exit(main())
