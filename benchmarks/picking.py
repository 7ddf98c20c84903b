"""Picking: F1 against truth and people, CPU seconds per micrograph, ours and RELION's in one run.

    python benchmarks/picking.py --set DIR [--data DATA] [--count 8]

DIR holds simulated micrographs: micrographs.star (with CTF), mic000.mrc ..., mic000_truth.star ... and
templates.mrcs (white, 4 Å). DATA is the folder of real data (skipped without). CPU seconds are in steady
state: a job over all micrographs less a job over one, on one thread; start-up is what the job over one
took more. RELION is skipped where it is not installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from verglas.formats.mrc import read_mrc_header
from verglas.formats.star import StarTable, read_star, write_star

LOG_SIM = ["--LoG", "--LoG_diam_min", "90", "--LoG_diam_max", "140", "--lowpass", "20", "--shrink", "0"]
LOG_REAL = ["--LoG", "--LoG_diam_min", "110", "--LoG_diam_max", "140", "--lowpass", "20", "--shrink", "0"]
BEST_BY_HAND = ["--LoG_adjust_threshold", "1.5", "--LoG_upper_threshold", "5"]
TEMPLATES = [
    "--ref",
    "templates.mrcs",
    "--angpix_ref",
    "4.0",
    "--invert",
    "--ctf",
    "--ang",
    "10",
    "--shrink",
    "0",
    "--lowpass",
    "20",
    "--min_distance",
    "130",
    "--particle_diameter",
    "150",
]
OURS_AUTO = ["--auto_threshold", "--clean_areas"]
RELION_BY_HAND = ["--threshold", "0.6", "--max_stddev_noise", "-1", "--angpix", "1.5"]


@dataclass(frozen=True)
class Score:
    """Picks of several micrographs against the truth."""

    found: int
    right: int
    true: int

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, self.found + self.true)

    def __str__(self) -> str:
        precision, recall = self.right / max(1, self.found), self.right / max(1, self.true)
        return f"F1 {self.f1:.3f}  precision {precision:.3f}  recall {recall:.3f}"


@dataclass(frozen=True)
class Measured:
    """One program with one set of flags."""

    program: str
    label: str
    score: Score
    cpu_seconds: float  # of one more micrograph


def cpu_seconds(command: list[str], folder: Path) -> float:
    """CPU seconds of a command and its children, one thread."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout[-800:]}{done.stderr[-800:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def steady(program: list[str], flags: list[str], folder: Path, count: int, out: str) -> tuple[float, float]:
    """(CPU seconds per micrograph, start-up); the picks of all are left in `out`."""
    one = cpu_seconds([*program, "--i", "one.star", "--odir", f"{out}_one/", *flags], folder)
    every = cpu_seconds([*program, "--i", "all.star", "--odir", f"{out}/", *flags], folder)
    each = (every - one) / max(1, count - 1)
    return each, one - each


def positions(path: Path) -> np.ndarray:
    star = read_star(path) if path.exists() else {}
    if not len(star):
        return np.zeros((0, 2))
    table = star.first  # type: ignore[union-attr]
    return np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], 1)


def inside(xy: np.ndarray, shape: tuple[int, int], border: float) -> np.ndarray:
    keep = (xy >= border).all(1) & (xy[:, 0] < shape[1] - border) & (xy[:, 1] < shape[0] - border)
    return xy[keep]


def hits(picks: np.ndarray, truth: np.ndarray, radius: float) -> int:
    if not len(picks) or not len(truth):
        return 0
    distance, nearest = cKDTree(truth).query(picks)
    return len({int(nearest[i]) for i in np.argsort(distance) if distance[i] <= radius})


def quality(folder: Path, out: str, truths: dict[str, Path], border: float, radius: float) -> Score:
    found = right = true = 0
    for name, truth in truths.items():
        shape = read_mrc_header(folder / f"{name}.mrc").shape_yx
        picks = inside(positions(folder / out / f"{name}_autopick.star"), shape, border)
        wanted = inside(positions(truth), shape, border)
        right += hits(picks, wanted, radius)
        found, true = found + len(picks), true + len(wanted)
    return Score(found, right, true)


def prepare(work: Path, rows: StarTable, optics: StarTable, count: int, files: list[Path]) -> None:
    for file in files:
        (work / file.name).symlink_to(file.resolve())
    for name, number in (("one", 1), ("all", count)):
        write_star(work / f"{name}.star", [optics, rows.take(list(range(number)))])


def show(label: str, score: Score, time: tuple[float, float]) -> None:
    cost = f"{time[0]:6.2f} CPU s each, start-up {time[1]:.1f}"
    print(f"  {label:<44} {score}  {cost}", flush=True)


def compare(
    work: Path,
    count: int,
    truths: dict[str, Path],
    rule: tuple[float, float],
    ours: dict[str, list[str]],
    theirs: dict[str, list[str]],
) -> list[Measured]:
    """Every flag set of ours and of RELION's on the micrographs in `work`."""
    runs = [("verglas", [sys.executable, "-m", "verglas.cli.main", "autopick"], ours)]
    if shutil.which("relion_autopick"):
        runs.append(("RELION", ["relion_autopick"], theirs))
    else:
        print("  RELION is not installed: not compared")
    measured = []
    for name, program, sets in runs:
        for number, (label, flags) in enumerate(sets.items()):
            out = f"{name}{number}"
            time = steady(program, flags, work, count, out)
            score = quality(work, out, truths, *rule)
            show(f"{name}, {label}", score, time)
            measured.append(Measured(name, label, score, time[0]))
            if name == "RELION":
                ratio = time[0] / max(measured[0].cpu_seconds, 1e-9)
                print(f"  CPU seconds, RELION over verglas: {ratio:.1f}")
    return measured


def simulated(folder: Path, count: int) -> tuple[list[Measured], list[Measured]]:
    """Laplacian of Gaussian, and templates."""
    star = read_star(folder / "micrographs.star")
    rows = star["micrographs"]
    count = min(count, len(rows))
    names = [Path(name).stem for name in rows.strings("rlnMicrographName")[:count]]
    truths = {name: folder / f"{name}_truth.star" for name in names}
    files = [folder / f"{name}.mrc" for name in names] + [folder / "templates.mrcs"]
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        prepare(work, rows, star["optics"], count, files)
        print(f"simulated micrographs ({count}), Laplacian of Gaussian, 20 px:")
        blobs = compare(
            work,
            count,
            truths,
            (0, 20),
            {"automatic threshold": [*LOG_SIM, *OURS_AUTO[1:]]},
            {"default threshold": LOG_SIM, "best hand-set threshold": [*LOG_SIM, *BEST_BY_HAND]},
        )
        print(f"simulated micrographs ({count}), templates, psi step 10 degrees, 20 px:")
        templates = compare(
            work,
            count,
            truths,
            (0, 20),
            {"automatic threshold": [*TEMPLATES, *OURS_AUTO]},
            {"hand-set threshold": [*TEMPLATES, *RELION_BY_HAND]},
        )
    return blobs, templates


def real(data: Path) -> list[Measured]:
    """Apoferritin against people."""
    folder = data / "empiar10146_apoferritin"
    people = sorted((folder / "human_picks").glob("*_human.star"))
    names = [path.name.replace("_human.star", "") for path in people]
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [1.5],
        "rlnMicrographOriginalPixelSize": [1.5],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [0.001],
        "rlnAmplitudeContrast": [0.07],
    }
    rows = {"rlnMicrographName": [f"{name}.mrc" for name in names], "rlnOpticsGroup": [1] * len(names)}
    table = StarTable.from_columns
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        files = [folder / "micrographs" / f"{name}.mrc" for name in names]
        prepare(work, table("micrographs", rows), table("optics", optics), len(names), files)
        print(f"real apoferritin ({len(names)}) against people, 25 px, border of 45 px left out:")
        return compare(
            work,
            len(names),
            dict(zip(names, people)),
            (45, 25),
            {"LoG, automatic threshold": [*LOG_REAL, *OURS_AUTO[1:]]},
            {"LoG, default, upper threshold 5": [*LOG_REAL, *BEST_BY_HAND[2:]]},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", type=Path, help="folder of simulated micrographs")
    parser.add_argument("--data", type=Path, help="folder of real data")
    parser.add_argument("--count", type=int, default=8, help="simulated micrographs to pick")
    arguments = parser.parse_args()
    if arguments.set:
        simulated(arguments.set, arguments.count)
    if arguments.data:
        real(arguments.data)


if __name__ == "__main__":
    main()
