"""Motion correction beside RELION's on movies simulated along real tracks; can be stopped and continued.

    python benchmarks/real_tracks.py --tracks FOLDER --results tracks.tsv [--at-most N] [--size 1856]

FOLDER holds the metadata STARs of a MotionCorr job. One movie at a time is simulated along a track (global
and local motion, 24 frames of 1.277 e/A2, gain, 100 hot pixels), corrected by both programs with 5 x 5
patches and deleted; its lines are appended to the results when both are done, and tracks that are there
are not done again. At the end the table and the means of all results are printed as Markdown. RELION's
lines are missing where relion_run_motioncorr is not installed.

Errors are root mean squares in pixels about the mean: of the whole-frame track, of the total motion
over the frame (local), and of the whole-frame track by accumulated dose.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from motioncorr import GRID, PROGRAMS, correct, errors, rms, tracks

from verglas.formats.star import StarTable, read_star, write_star

DOSE_E_A2 = 1.277  # per frame
DOSES_E_A2 = ((0.0, 5.0), (5.0, 15.0), (15.0, np.inf))
HEAD = "track\tprogram\tsize\twhole_px\tlocal_px\tdose_0_5_px\tdose_5_15_px\tdose_15_px"


@dataclass(frozen=True)
class Result:
    """One program on one movie: whole, local, and whole in the three ranges of dose (pixels)."""

    track: str
    program: str
    size: int
    figures: tuple[float, ...]

    def __str__(self) -> str:
        figures = "\t".join(f"{figure:.4f}" for figure in self.figures)
        return f"{self.track}\t{self.program}\t{self.size}\t{figures}"

    @classmethod
    def of_line(cls, line: str) -> Result:
        track, program, size, *figures = line.split("\t")
        return cls(track, program, int(size), tuple(map(float, figures)))


def read_results(path: Path) -> list[Result]:
    """Whole lines of a results file; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [Result.of_line(line.strip()) for line in lines[1:] if line.endswith("\n")]


def measure(star: Path, size: int, scratch: Path) -> list[Result]:
    """Simulate a movie along one track and correct it with every program."""
    movie = simulate(star, size, scratch)
    truth, truth_model = tracks(next(scratch.glob("truth/truth/mov*.star")))
    local_truth = truth_model.at(GRID, np.arange(len(truth)))
    flags = ["--dose_per_frame", str(DOSE_E_A2), "--patch_x", "5", "--patch_y", "5"]
    flags += ["--gainref", "truth/gain.mrc", "--gain_rot", "0", "--gain_flip", "0"]
    results = []
    for name, program in PROGRAMS.items():
        correct(program, scratch, [movie], Path(name), flags)
        shifts, model = tracks(scratch / name / f"{Path(movie).stem}.star")
        own_mean = model.at(GRID, np.arange(len(shifts))).mean(axis=0)
        local = errors((shifts, model), truth, local_truth).local
        mean = local_truth.mean(axis=0)
        whole = errors((shifts + own_mean, model), truth + mean, local_truth)
        figures = (whole.whole, local, *against_dose(whole.by_frame))
        results.append(Result(star.stem, name, size, figures))
    return results


def simulate(star: Path, size: int, scratch: Path) -> str:
    """Make a movie and its list in a folder; the movie's name."""
    particles = str(round(60 * (size / 1856) ** 2))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "verglas.cli.main",
            "simulate",
            "session",
            "truth",
            "--movies",
            "1",
            "--into",
            ".",
            "--size",
            str(size),
            "--frames",
            "24",
            "--pixel-size-angst",
            "0.885",
            "--dose-per-frame-e-a2",
            str(DOSE_E_A2),
            "--voltage-kv",
            "200",
            "--cs-mm",
            "1.4",
            "--format",
            "mrc",
            "--hot-pixels",
            "100",
            "--particles",
            particles,
            "--tracks",
            str(star.resolve()),
        ],
        cwd=scratch,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    optics = {
        "rlnOpticsGroupName": ["a"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [0.885],
        "rlnVoltage": [200.0],
        "rlnSphericalAberration": [1.4],
        "rlnAmplitudeContrast": [0.1],
    }
    write_star(scratch / "movies.star", [StarTable.from_columns("optics", optics)])
    return next(path.name for path in scratch.glob("*.mrc"))


def against_dose(by_frame: np.ndarray) -> list[float]:
    """Root mean square of a track's errors in each range of accumulated dose."""
    doses = DOSE_E_A2 * (np.arange(len(by_frame)) + 1)
    return [rms(by_frame[(doses > low) & (doses <= high), None]) for low, high in DOSES_E_A2]


def table(results: Sequence[Result]) -> Iterable[str]:
    """Markdown: a line per track, the programs beside each other, then their means and largest."""
    programs = [name for name in PROGRAMS if any(each.program == name for each in results)]
    known = {(each.track, each.program): each.figures for each in results}
    names = sorted({each.track for each in results})
    yield f"| {' / '.join(programs)}, px | whole | local | 0-5 e/Å² | 5-15 | beyond |"
    yield "|---|---|---|---|---|---|"
    everything = np.array([[known[name, program] for program in programs] for name in names])
    for name, figures in zip(names, everything, strict=True):
        yield _line(name, figures)
    yield _line(f"mean of {len(names)}", everything.mean(axis=0))
    yield _line("largest", everything.max(axis=0))


def _line(name: str, figures: np.ndarray) -> str:  # (programs, figures)
    cells = (" / ".join(f"{figure:.3f}" for figure in column) for column in figures.T)
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--at-most", type=int, default=10**9, help="movies to do in this call")
    parser.add_argument("--size", type=int, default=1856)
    given = parser.parse_args()
    results = read_results(given.results)
    there = {each.track for each in results}
    found = sorted(star for star in given.tracks.rglob("*.star") if "global_shift" in read_star(star))
    todo = [star for star in found if star.stem not in there]
    if not given.results.exists():
        given.results.write_text(f"{HEAD}\n")
    for star in todo[: given.at_most]:
        scratch = Path(tempfile.mkdtemp())
        try:
            measured = measure(star, given.size, scratch)
        finally:
            shutil.rmtree(scratch)
        lines = "".join(f"{each}\n" for each in measured)
        with given.results.open("a") as out:
            out.write(lines)
        print(lines, end="", flush=True)
        results += measured
    print("\n".join(["", *table(results)]))


if __name__ == "__main__":
    main()
