"""Polishing against the truth, and beside RELION where it is installed.

    python benchmarks/polish.py /tmp/scene            # 20 movies of 1024 x 1024 x 20, 100 particles each
    python benchmarks/polish.py /tmp/scene --movies 6 --size 768 --particles 50 --box 144

Makes the project once (movies, motion correction, true poses, half maps), trains the prior, polishes with it and
with RELION's default, and prints one table: tracks and B-factors against the truth, the resolution of maps of
the polished particles, CPU seconds (user and system, children included).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from polish_project import EXTRACT, MOTION, POST, REFINE, VERGLAS, make_project, reconstruct_and_sharpen

from verglas.formats.star import read_star
from verglas.jobs.motioncorr.recorded import read_motion
from verglas.jobs.polish.files import read_tracks
from verglas.jobs.polish.inputs import read_polish_inputs

LIST = f"{MOTION}corrected_micrographs.star"
COMMON = ["--i", f"{EXTRACT}particles.star", "--f", f"{POST}postprocess.star", "--corr_mic", LIST]
DEFAULT_PRIOR = "0.5 5000 2"


def main() -> None:
    arguments = _arguments()
    folder = Path(arguments.folder).resolve()
    flags = [
        *("--movies", str(arguments.movies), "--size", str(arguments.size), "--frames", "20"),
        *(
            "--dose-per-frame-e-a2",
            "1.0",
            "--pixel-size-angst",
            "1.7",
            "--particles",
            str(arguments.particles),
        ),
        *("--own-motion-pixels", "1.5", "--local-pixels", "1.0", "--drift-pixels", "6", "--no-damage"),
        *("--first-b-a2", "100", "--dose-b-a2", "5", "--distance-angst", "130", "--gain-rotation", "1"),
        *("--gain-flip", "2", "--seed", str(arguments.seed), "--voltage-kv", str(arguments.voltage)),
    ]
    make_project(folder, arguments.box, flags)
    truth = _Truth(arguments.box)
    print(f"{len(truth.items)} movies, {truth.particles} particles; map before: {_resolution(POST):.2f} Å")
    _head()
    truth.tell("motion correction", lambda item: truth.first(item))
    trained, seconds = _trained(arguments.particles * arguments.movies)
    print(f"{'training: ' + trained:44s} {'':>9s} {'':>9s} {'':>8s} {'':>7s} {seconds:8.1f}")
    for prior in (DEFAULT_PRIOR, trained):
        _compare(truth, "verglas", [*VERGLAS, "motion_refine"], prior)
        if shutil.which("relion_motion_refine") and not arguments.alone:
            _compare(truth, "relion 3.1.3", ["relion_motion_refine"], prior)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--movies", type=int, default=20)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--particles", type=int, default=100)
    parser.add_argument("--box", type=int, default=144)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--voltage", type=float, default=300)
    parser.add_argument("--alone", action="store_true", help="without RELION")
    return parser.parse_args()


def cpu_seconds(words: list[str]) -> float:
    """User and system time of a command and its children. Raises CalledProcessError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("benchmark.log", "a") as log:
        subprocess.run(words, check=True, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _trained(particles: int) -> tuple[str, float]:
    words = [
        *VERGLAS,
        "motion_refine",
        *COMMON,
        "--o",
        "Polish/train/",
        "--params3",
        "--min_p",
        str(particles),
    ]
    seconds = cpu_seconds(words)
    return Path("Polish/train/opt_params_all_groups.txt").read_text().strip(), seconds


def _compare(truth: _Truth, name: str, program: list[str], prior: str) -> None:
    """Polish and tell how it went."""
    folder = f"Polish/{name.split()[0]}_{prior.replace(' ', '_')}/"
    Path(folder).mkdir(parents=True, exist_ok=True)
    velocity, divergence, acceleration = prior.split()
    words = [*program, *COMMON, "--o", folder, "--combine_frames", "--j", "1"]
    seconds = cpu_seconds([*words, "--s_vel", velocity, "--s_div", divergence, "--s_acc", acceleration])
    resolution = reconstruct_and_sharpen(
        f"{folder}shiny.star", f"Rec/{folder}", f"Rec/{folder}", mask=f"{REFINE}mask.mrc"
    )
    truth.tell(f"{name}, prior {prior}", lambda item: truth.tracks(folder, item), folder, resolution, seconds)


def _head() -> None:
    print(f"{'':44s} {'RMS 2D px':>9s} {'1D px':>9s} {'B RMS Å²':>8s} {'map Å':>7s} {'CPU s':>8s}")


class _Truth:
    """What the simulator wrote down about every movie."""

    def __init__(self, box: int) -> None:
        self.items = read_polish_inputs(f"{EXTRACT}particles.star", LIST).items
        self.particles = sum(len(item.table) for item in self.items)
        self.pixel = self.items[0].group().pixel_size_angst
        frames = read_star(Path(f"session/truth/{Path(self.items[0].name).stem}.star"))["frames"]
        self.b_factors = np.array(frames.floats("verglasFrameBfactor"))

    def first(self, item) -> np.ndarray:
        motion = read_motion(item.metadata)
        return motion.displacements(item.places_yx(), range(motion.n_frames))

    def tracks(self, folder: str, item) -> np.ndarray:
        return read_tracks(Path(f"{folder}Movies/{Path(item.name).stem}_tracks.star")) / self.pixel

    def of(self, item) -> np.ndarray:
        star = read_star(Path(f"session/truth/{Path(item.name).stem}.star"))
        tracks, places = star["tracks"], star["particles"]
        count = int(tracks.ints("verglasParticle").max())
        moved = np.stack([tracks.floats("verglasDisplacementY"), tracks.floats("verglasDisplacementX")], 1)
        known = np.stack([places.floats("rlnCoordinateY"), places.floats("rlnCoordinateX")], 1)
        nearest = [int(np.argmin(np.hypot(*(known - place - 0.5).T))) for place in item.places_yx()]
        return moved.reshape(count, -1, 2)[nearest]

    def tell(
        self,
        name: str,
        tracks: Callable[..., np.ndarray],
        folder: str = "",
        resolution: float = 0.0,
        seconds: float = 0.0,
    ) -> None:
        """One line of the table: where a track begins is the refinement's, so its mean is taken off."""
        squares = []
        for item in self.items:
            off = tracks(item) - self.of(item)
            squares.append(((off - off.mean(axis=1, keepdims=True)) ** 2).sum(axis=-1).mean())
        rms = float(np.sqrt(np.mean(squares)))
        b_error = f"{self._b_error(folder):8.1f}" if folder else f"{'':8s}"
        rest = f"{resolution:7.2f} {seconds:8.1f}" if folder else ""
        print(f"{name:44s} {rms:9.3f} {rms / np.sqrt(2):9.3f} {b_error} {rest}", flush=True)

    def _b_error(self, folder: str) -> float:
        """RMS over frames; only differences between frames mean anything."""
        table = read_star(Path(f"{folder}bfactors.star"))["perframe_bfactors"]
        off = -np.array(table.floats("rlnBfactorUsedForSharpening")) - self.b_factors
        return float(np.sqrt(np.mean((off - off.mean()) ** 2)))


def _resolution(post: str) -> float:
    return float(read_star(Path(f"{post}postprocess.star"))["general"].number("rlnFinalResolution"))


if __name__ == "__main__":
    sys.exit(main())
