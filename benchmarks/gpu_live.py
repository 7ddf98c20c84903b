"""Movies per hour of a live session on a GPU: motion, CTF, picking and extraction of large movies.

    python benchmarks/gpu_live.py FOLDER [--device cuda:0] [--size 4096] [--frames 40] [--movies 24]

FOLDER should lie in memory (/dev/shm/live): the figure is one beyond reading. Some movies are made on the
device (counts as int8 in MRC, a gain, hot pixels, global and local motion, 256 particles under a contrast
transfer function) and stand under `--movies` names; all are there before a real session starts, detached as
a user's, without 2D classes. One session for every number of worker processes in `--workers`. Printed: movies
per hour from the start on and once every worker is warm, both also without the time that reading takes;
seconds of each stage of a warm movie; how busy the device was; what was found in the movies.

Needs torch, numpy, scipy, numba, psutil, pydantic and xxhash.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from gpu_motion import movie

if TYPE_CHECKING:
    from verglas.scheduler.live.record.order import LiveFolder

ROOT = Path(__file__).resolve().parent.parent
PIXEL_ANGST, DOSE_E_A2 = 0.85, 1.2 / 0.85**2
DIAMETER_ANGST = 150.0
KV, CS_MM, AMPLITUDE_CONTRAST = 300.0, 2.7, 0.1
TIMEOUT_S = 500.0
STAGES = ("MotionCorr", "CtfFind", "AutoPick", "Extract")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--movies", type=int, default=24)
    parser.add_argument("--distinct", type=int, default=3, help="movies that are made")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4], help="processes")
    given = parser.parse_args()
    paths = [str(ROOT / "src"), *(os.path.abspath(each) for each in _python_path())]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    home = given.folder.resolve()
    make_movies(home, given)
    read_s = reading(home / "movies" / "m0.mrc")
    print(f"reading a movie alone: {read_s:.2f} s", flush=True)
    for workers in given.workers:
        row = {"workers": workers, **session(home, given, workers, read_s)}
        print(json.dumps(row), flush=True)


def _python_path() -> list[str]:
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def make_movies(home: Path, given: argparse.Namespace) -> None:
    """`--distinct` movies in HOME/movies, and the gain."""
    from verglas.formats.movies_write import write_movie_mrc
    from verglas.formats.mrc import write_mrc

    shutil.rmtree(home, ignore_errors=True)
    (home / "movies").mkdir(parents=True)
    begin = time.monotonic()
    for number in range(given.distinct):
        seen = specimen(given.size, 12000.0 + 4000.0 * number, number, given.device)
        frames, gain, _ = movie(given.size, given.frames, given.device, seen)
        path = home / "movies" / f"m{number}.mrc"
        write_movie_mrc(path, frames.view(np.int8), PIXEL_ANGST, durable=False)
    write_mrc(home / "gain.mrc", gain, PIXEL_ANGST)
    shape = f"{given.size} x {given.size} x {given.frames}"
    print(f"{given.distinct} movies of {shape} made in {time.monotonic() - begin:.0f} s", flush=True)


def specimen(size: int, defocus_angst: float, seed: int, device: str) -> torch.Tensor:
    """Spectrum of balls on an uneven lattice in ice, seen under focus: dark on bright."""
    rng = np.random.default_rng(seed)
    step = 1.7 * DIAMETER_ANGST / PIXEL_ANGST
    count = int(size / step)
    lattice = (np.indices((count, count)).reshape(2, -1).T + 0.5) * size / count
    centres = (lattice + rng.uniform(-0.15, 0.15, lattice.shape) * step).round().astype(int)
    points = torch.zeros(size, size, device=device)
    points[centres[:, 0], centres[:, 1]] = 1.0
    k = torch.hypot(
        torch.fft.fftfreq(size, PIXEL_ANGST, device=device)[:, None],
        torch.fft.rfftfreq(size, PIXEL_ANGST, device=device)[None, :],
    )
    y, x = (torch.fft.fftfreq(size, 1 / size, device=device) * PIXEL_ANGST for _ in range(2))
    square = (y[:, None] ** 2 + x[None, :] ** 2) / (DIAMETER_ANGST / 2) ** 2
    ball = (1 - square).clamp(min=0).sqrt()
    generator = torch.Generator(device).manual_seed(seed)
    ice = torch.fft.rfft2(torch.randn(size, size, device=device, generator=generator))
    signal = torch.fft.rfft2(points) * torch.fft.rfft2(ball) + 0.5 * ice
    return -signal * _transfer(k, defocus_angst) * torch.exp(-60.0 / 4 * k**2)


def _transfer(k: torch.Tensor, defocus_angst: float) -> torch.Tensor:
    """Weak-phase contrast transfer at spatial frequencies 1/Å, positive at low ones."""
    volts = 1e3 * KV
    wave = 12.2643247 / np.sqrt(volts * (1 + volts * 0.978466e-6))
    phase = np.pi * wave * defocus_angst * k**2 - np.pi / 2 * CS_MM * 1e7 * wave**3 * k**4
    return (phase + np.arcsin(AMPLITUDE_CONTRAST)).sin()


def reading(path: Path) -> float:
    """Seconds that opening a movie and taking all its frames into memory takes."""
    from verglas.formats.movies import open_movie

    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        for frame in open_movie(path).frames():
            np.asarray(frame).max()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def session(home: Path, given: argparse.Namespace, workers: int, read_s: float) -> dict[str, Any]:
    """One session from its start until the last movie is through."""
    root = home / f"project{workers}"
    begin = time.time()
    folder = begun(home, root, given, workers)
    with Busy(given.device) as busy:
        done = _all_done(folder, given.movies)
    folder.wish("stop")
    while folder.lease.is_held():
        time.sleep(0.2)
    ends = sorted(done)
    warm = ends[workers:]  # the first of each worker compiles and plans
    each_s = (warm[-1] - warm[0]) / (len(warm) - 1)
    figures = _figures(folder, workers)
    return {
        "movies_per_hour": round(3600 / each_s),
        "beyond_reading": round(3600 / max(each_s - read_s / workers, 1e-3)),
        "first_s": round(ends[0] - begin, 1),
        "all_s": round(ends[-1] - begin, 1),
        "device_busy": busy.mean,
        **figures,
    }


def begun(home: Path, root: Path, given: argparse.Namespace, workers: int) -> LiveFolder:
    """A session at work; all movies are there."""
    from verglas.formats.movies import check_movie
    from verglas.project.project import Project
    from verglas.scheduler.live.record.order import NEWEST, LiveOrder
    from verglas.scheduler.live.requests.facts import Fact, Intake
    from verglas.scheduler.live.requests.first_options import chain_options, set_up
    from verglas.scheduler.supervisor import ensure_supervisor

    project = Project.create(root)
    os.chdir(root)
    Path("Movies").mkdir()
    for number in range(given.movies):
        os.link(home / "movies" / f"m{number % given.distinct}.mrc", f"Movies/m{number:04d}.mrc")
    facts: dict[str, float | str] = {
        "pixel-size": PIXEL_ANGST,
        "kv": KV,
        "cs": CS_MM,
        "amplitude-contrast": AMPLITUDE_CONTRAST,
        "dose-per-frame": DOSE_E_A2,
        "gain": str(home / "gain.mrc"),
        "diameter": f"{0.8 * DIAMETER_ANGST:g},{1.1 * DIAMETER_ANGST:g}",
    }
    intake = Intake("Movies/*.mrc", first=check_movie(Path("Movies/m0000.mrc")))
    intake.facts = {key: Fact(value, "the simulated microscope") for key, value in facts.items()}
    options = chain_options(intake, {})
    print({key: options["MotionCorr"][key] for key in ("patch_x", "patch_y")}, flush=True)
    order = LiveOrder(devices=(given.device,), workers=workers, first=NEWEST)
    folder = set_up(project, order, intake, options, classes=False, by_beam_shift=False)
    ensure_supervisor(root)
    return folder


def _all_done(folder: LiveFolder, movies: int) -> list[float]:
    """Wait for all movies; when each was through (calendar time)."""
    from verglas.scheduler.live.record.status import read_status

    deadline, told = time.monotonic() + TIMEOUT_S, ""
    particles = folder.root / folder.order().jobs["Extract"] / "Movies"
    while True:
        found = list(particles.glob("*_extract.star"))
        status = read_status(folder)
        if len(found) == movies and status.finished == movies:
            return [path.stat().st_mtime for path in found]
        wrong = [*status.problems, *(each.aside for each in status.newest if each.aside)]
        if wrong and wrong[-1] != told:
            told = wrong[-1]
            print(f"WARNING: {told}", flush=True)
        if status.failed or time.monotonic() > deadline:
            folder.wish("stop")
            raise SystemExit(f"{len(found)} of {movies} movies came through: {status.line}")
        time.sleep(0.5)


def _figures(folder: LiveFolder, workers: int) -> dict[str, Any]:
    """Medians over the warm movies: seconds of the stages, and what was found."""
    lines = [json.loads(line) for line in folder.journal.read_text().splitlines()]
    found: dict[str, Any] = {}
    for stage in STAGES:
        done = [line for line in lines if line["k"] == "done" and line["stage"] == stage]
        found[f"{stage}_s"] = round(statistics.median(each["s"] for each in done[workers:]), 2)
    known: dict[str, list[float]] = {}
    for line in lines:
        for key, value in line.get("figures", {}).items():
            known.setdefault(key, []).append(value)
    for key in ("motion_total_angst", "defocus_u_angst", "ctf_resolution_angst", "particles"):
        found[key] = round(statistics.median(known.get(key, [0.0])), 1)
    return found


class Busy:
    """Samples how busy a CUDA device is while a block runs."""

    def __init__(self, device: str) -> None:
        self.index = device.partition(":")[2] or "0" if device.startswith("cuda") else ""
        self.samples: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def mean(self) -> float | None:
        return round(statistics.mean(self.samples)) if self.samples else None

    def _sample(self) -> None:
        words = ["nvidia-smi", f"--id={self.index}", "--query-gpu=utilization.gpu"]
        while self.index and not self._stop.wait(0.5):
            try:
                told = subprocess.run(
                    [*words, "--format=csv,noheader,nounits"], capture_output=True, text=True
                )
                self.samples.append(float(told.stdout))
            except (OSError, ValueError):
                return


if __name__ == "__main__":
    main()
