"""Motion correction beside RELION's on the same files: error of the tracks, CPU seconds per movie.

    python benchmarks/motioncorr.py --movies DIR ... [--items 9]

A folder holds movie.mrc, movies.star, drift_truth.txt (x y of the specimen per frame) and
meta.json (size, local: strength of the local field, 0 for none); one with local motion is corrected with
5 x 5 patches. Movies along real tracks: real_tracks.py.

CPU seconds are user + system of the whole program, one thread. Per movie: the difference between jobs
over --items movies (links to the first) and over one, divided by items - 1; start-up is what one movie takes
beyond that; --items 0 leaves them out. RELION's lines are missing where
relion_run_motioncorr is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.formats.star import StarTable, read_star, write_star
from verglas.motion.local_motion import LocalMotion

RELION = shutil.which("relion_run_motioncorr")
PROGRAMS = {
    "verglas": [sys.executable, "-m", "verglas.cli.main", "motioncorr"],
    **({"RELION": [RELION]} if RELION else {}),
}
GRID = np.stack(
    np.meshgrid(np.linspace(-0.4, 0.4, 9), np.linspace(-0.4, 0.4, 9), indexing="ij"), axis=-1
).reshape(-1, 2)


@dataclass(frozen=True)
class Errors:
    """Root mean square errors in pixels, tracks about their means."""

    whole: float  # of the global track
    local: float  # of the total motion over the frame
    by_frame: np.ndarray  # (n,) of the global track


def correct(
    program: Sequence[str], folder: Path, movies: Sequence[str], out: Path, flags: Sequence[str]
) -> float:
    """Run a program over some movies of a folder; CPU seconds."""
    star = read_star(folder / "movies.star")
    rows = {"rlnMicrographMovieName": list(movies), "rlnOpticsGroup": [1] * len(movies)}
    write_star(folder / "list.star", [star["optics"], StarTable.from_columns("movies", rows)])
    command = [
        *program,
        "--i",
        "list.star",
        "--o",
        f"{out}/",
        "--use_own",
        "--j",
        "1",
        "--dose_weighting",
        "--save_noDW",
        "--bfactor",
        "150",
        "--bin_factor",
        "1",
        "--preexposure",
        "0",
        *flags,
    ]
    single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=os.environ | single, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_per_movie(
    program: Sequence[str], folder: Path, out: Path, flags: Sequence[str], items: int
) -> tuple[float, float]:
    """CPU seconds of one more movie, and of starting up."""
    suffix = (folder / "movie.mrc").suffix
    names = [f"copy{index}{suffix}" for index in range(items)]
    for name in names:
        if not (folder / name).exists():
            (folder / name).symlink_to("movie.mrc")
    one = correct(program, folder, names[:1], out / "one", flags)
    many = correct(program, folder, names, out / "many", flags)
    each = (many - one) / (items - 1)
    return each, one - each


def tracks(path: Path) -> tuple[np.ndarray, LocalMotion]:
    """Global shifts (n, 2) y, x and the local model of a metadata or truth STAR."""
    star = read_star(path)
    table = star["global_shift"]
    shifts = [table.floats("rlnMicrographShiftY"), table.floats("rlnMicrographShiftX")]
    coefficients = np.zeros((2, 18))
    if star.get("local_motion_model") is not None:
        along_x, along_y = star["local_motion_model"].floats("rlnMotionModelCoeff").reshape(2, 18)
        coefficients = np.stack([along_y, along_x])
    return np.stack(shifts, axis=1), LocalMotion(coefficients)


def centred(track: np.ndarray) -> np.ndarray:
    return track - track.mean(axis=-2, keepdims=True)


def errors(found: tuple[np.ndarray, LocalMotion], truth: np.ndarray, local_truth: np.ndarray) -> Errors:
    """`truth` (n, 2) and `local_truth` (places, n, 2) are shifts to apply."""
    shifts, model = found
    whole = centred(shifts) - centred(truth)
    total = shifts + model.at(GRID, np.arange(len(shifts)))
    everywhere = centred(total) - centred(truth + local_truth)
    return Errors(rms(whole), rms(everywhere), np.hypot(*whole.T))


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).sum(axis=-1).mean()))


def field_of(meta: dict[str, float], n_frames: int) -> np.ndarray:
    """The local field of the folders' simulation, as shifts to apply at `GRID`."""
    t = np.arange(n_frames)
    y, x = (GRID * meta["size"] / (meta["size"] + 128)).T
    strength = 4 * meta["local"] * (1 - np.exp(-t / 6))
    place = np.stack([y * y - 1 / 12 - 0.5 * x * y, x * y + 0.5 * (x * x - 1 / 12)], axis=1)
    return -place[:, None, :] * strength[None, :, None]


@dataclass(frozen=True)
class Measured:
    """One program on one movie with known drift."""

    movie: str
    is_local: bool
    program: str
    errors: Errors
    cpu_seconds: float  # of one more movie; not a number if it was not timed


def known_drift(folders: Sequence[Path], items: int, scratch: Path) -> list[Measured]:
    """Every program on every folder of the first kind, printed as it comes."""
    measured = []
    print(f"{'movie':<12}{'program':<9}{'whole px':>9}{'local px':>9}{'CPU s':>8}{'start':>7}{'ratio':>7}")
    for folder in folders:
        meta = json.loads((folder / "meta.json").read_text())
        work = scratch / folder.name
        work.mkdir()
        for name in ("movie.mrc", "movies.star"):
            (work / name).symlink_to((folder / name).resolve())
        truth = -np.loadtxt(folder / "drift_truth.txt")[:, ::-1]
        local_truth = field_of(meta, len(truth))
        patches = "5" if meta["local"] else "1"
        flags = ["--dose_per_frame", str(meta["dose"] / meta["frames"])]
        flags += ["--patch_x", patches, "--patch_y", patches]
        used: dict[str, float] = {}
        for name, program in PROGRAMS.items():
            out = Path(name)
            correct(program, work, ["movie.mrc"], out, flags)
            found = errors(tracks(work / out / "movie.star"), truth, local_truth)
            used[name], start = np.nan, np.nan
            if items > 1:
                used[name], start = seconds_per_movie(program, work, out, flags, items)
            measured.append(Measured(folder.name, meta["local"] > 0, name, found, used[name]))
            ratio = f"{used['verglas'] / used[name]:7.2f}" if name == "RELION" else " " * 7
            local = f"{found.local:9.3f}" if meta["local"] else " " * 9
            print(
                f"{folder.name:<12}{name:<9}{found.whole:9.3f}{local}{used[name]:8.2f}{start:7.2f}{ratio}",
                flush=True,
            )
        shutil.rmtree(work)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--movies", type=Path, nargs="+", required=True)
    parser.add_argument("--items", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        known_drift(given.movies, given.items, Path(scratch))


if __name__ == "__main__":
    main()
