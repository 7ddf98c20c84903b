"""Read and write a STAR table of 1M rows x 30 columns; CPU seconds and memory of one core.

    OMP_NUM_THREADS=1 python benchmarks/star_io.py [--rows 1000000] [--peer] [--folder /tmp]

Columns: 22 float, 6 integer, 2 string, in RELION's padded layout (about 480 MB). Reading means
every value is there as a number or a string; the file is in the page cache, kernels are compiled
and flushing to the disc is left out. `--peer` does the same with the starfile package.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FLOATS = [
    "rlnCoordinateX",
    "rlnAngleRot",
    "rlnDefocusU",
    "rlnOriginXAngst",
    "rlnAutopickFigureOfMerit",
    "rlnCoordinateY",
    "rlnAngleTilt",
    "rlnDefocusV",
    "rlnOriginYAngst",
    "rlnCtfFigureOfMerit",
    "rlnCoordinateZ",
    "rlnAnglePsi",
    "rlnCtfBfactor",
    "rlnOriginZAngst",
    "rlnMaxValueProbDistribution",
    "rlnHelicalTrackLengthAngst",
    "rlnDefocusAngle",
    "rlnLogLikeliContribution",
    "rlnCtfMaxResolution",
    "rlnNormCorrection",
    "rlnAnglePsiPrior",
    "rlnAngleTiltPrior",
]
INTS = [
    "rlnClassNumber",
    "rlnOpticsGroup",
    "rlnGroupNumber",
    "rlnNrOfSignificantSamples",
    "rlnRandomSubset",
    "rlnHelicalTubeID",
]
STRINGS = ["rlnImageName", "rlnMicrographName"]


def make_columns(n_rows: int) -> dict[str, object]:
    """Coordinates, angles, defocus, shifts and small figures, as a particle table mixes them."""
    random = np.random.default_rng(1)
    scales = [4000.0, 180.0, 20000.0, 5.0, 1.0]
    columns: dict[str, object] = {}
    for n, label in enumerate(FLOATS):
        values = random.uniform(-0.2 if n % 5 == 1 else 0.001, 1.0, n_rows) * scales[n % 5]
        columns[label] = values
    for label in INTS:
        columns[label] = random.integers(0, 1000, n_rows)
    columns[STRINGS[0]] = [
        f"{n % 400 + 1:06d}@Extract/job005/Movies/mov{n // 400:05d}.mrcs" for n in range(n_rows)
    ]
    columns[STRINGS[1]] = [f"MotionCorr/job002/Movies/mov{n // 400:05d}.mrc" for n in range(n_rows)]
    return columns


def timed(step: str, work: object, repeats: int = 1) -> object:
    """Run, print the best CPU and wall seconds, return the last result."""
    best_cpu, best_wall, result = np.inf, np.inf, None
    for _ in range(repeats):
        result = None
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()  # type: ignore[operator]
        best_cpu = min(best_cpu, time.process_time() - cpu)
        best_wall = min(best_wall, time.perf_counter() - wall)
    print(f"{step:40s} {best_cpu:7.2f} s CPU {best_wall:7.2f} s wall   peak {peak_gb():.2f} GB", flush=True)
    return result


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def read_all(path: Path) -> dict[str, object]:
    """Every value, typed."""
    from verglas.formats.star import read_star

    table = read_star(path)["particles"]
    numbers = {label: table.floats(label) for label in FLOATS}
    whole = {label: table.ints(label) for label in INTS}
    return {**numbers, **whole, **{label: table.strings(label) for label in STRINGS}}


def run_write(path: Path, n_rows: int) -> None:
    from verglas.formats.star import StarTable, write_star

    small = StarTable.from_columns("particles", make_columns(50_000))
    write_star(path, small, durable=False)  # compiles
    table = StarTable.from_columns("particles", make_columns(n_rows))
    timed("write 1M x 30 of numbers", lambda: write_star(path, table, durable=False), 2)


def run_read(path: Path, n_rows: int) -> None:
    from verglas.formats.star import format_star, read_star, rows, write_star

    small = path.with_suffix(".small.star")
    star = read_star(path)
    threshold, rows.LARGE_BYTES = rows.LARGE_BYTES, 0
    write_star(small, star["particles"].take(np.arange(1000)), durable=False)
    read_all(small), format_star(star["particles"].take(np.arange(50_000)))  # compiles
    del star
    rows.LARGE_BYTES = threshold
    timed("read 1M x 30, every value typed", lambda: len(read_all(path)), 2)
    star = timed("read, values still text", lambda: read_star(path))
    timed("rewrite what was read", lambda: write_star(small, star, durable=False))  # type: ignore[arg-type]
    print("byte-identical:", small.read_bytes() == path.read_bytes())
    small.unlink()


def run_frame(path: Path, n_rows: int) -> None:
    from verglas.formats.star import read_star

    timed("read + polars frame", lambda: read_star(path)["particles"].frame.shape)


def run_peer(path: Path, n_rows: int) -> None:
    import starfile

    frame = timed("starfile: read", lambda: starfile.read(path))
    timed("starfile: write", lambda: starfile.write(frame, path.with_suffix(".peer.star"), overwrite=True))
    path.with_suffix(".peer.star").unlink()


STEPS = {"write": run_write, "read": run_read, "frame": run_frame, "peer": run_peer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--step", choices=STEPS, help="one step in this process (peak memory is per process)")
    arguments = parser.parse_args()
    path = arguments.folder / "verglas_star_io.star"
    if arguments.step:
        STEPS[arguments.step](path, arguments.rows)
        return
    for step in ("write", "read", "frame", *(["peer"] if arguments.peer else [])):
        command = [sys.executable, __file__, "--step", step, "--rows", str(arguments.rows)]
        subprocess.run([*command, "--folder", str(arguments.folder)], check=True)
    print(f"file: {path.stat().st_size / 1e6:.0f} MB")
    path.unlink()


if __name__ == "__main__":
    main()
