"""Combining the ranks' sums through the network and through the disc, at two resolutions.

    python benchmarks/combine.py [--ranks 3] [--folder DIR] [--repeat 3]

Starts itself under mpirun. The arrays are as large as those of a 3D classification (K = 1) in a box of 128 px
at half and at full resolution, and of a 2D classification (K = 50) in a box of 128 px; what is in them does
not matter. Prints bytes per rank and the median of the wall seconds, with the disc's parts.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from verglas.fourier.lattice import Lattice
from verglas.jobs.refine.ranks import MpiRanks

CASES = (
    ("3D, K = 1, 128 px, to half of Nyquist", 3, 32, 1),
    ("3D, K = 1, 128 px, to Nyquist", 3, 64, 1),
    ("2D, K = 50, 128 px, to half of Nyquist", 2, 32, 50),
    ("2D, K = 50, 128 px, to Nyquist", 2, 64, 50),
)


class Numbers:
    """As many numbers as the sums of a run."""

    def __init__(self, count: int, rank: int) -> None:
        self._numbers = np.random.default_rng(rank).normal(size=count)

    def pack(self) -> np.ndarray:
        return self._numbers.copy()

    def unpack(self, numbers: np.ndarray) -> None:
        self._numbers = numbers


def measure(folder: Path, repeat: int) -> None:
    """What every rank does."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    rank = comm.Get_rank()
    if rank == 0:
        print(f"{comm.Get_size()} ranks, files in {folder}")
        print(f"{'':42} {'MB per rank':>11} {'network s':>10} {'disc s':>8}  writing, adding, reading")
    for title, dims, r_max, classes in CASES:
        count = classes * 3 * math.prod(Lattice(dims, r_max, 2).shape)
        seconds: dict[bool, float] = {}
        parts = ""
        for via_disc in (False, True):
            said: list[str] = []
            ranks = MpiRanks(comm, str(folder / "run"), via_disc=via_disc, say=said.append, warn=said.append)
            times = []
            for _ in range(repeat):
                sums = Numbers(count, rank)
                comm.Barrier()
                begin = time.perf_counter()
                ranks.add(sums, range(ranks.size))
                comm.Barrier()
                times.append(time.perf_counter() - begin)
            seconds[via_disc] = statistics.median(times)
            parts = ", ".join(re.findall(r"[\d.]+(?= s)", said[-2])) if via_disc else ""
        if rank == 0:
            print(f"{title:42} {count * 8 / 1e6:11.1f} {seconds[False]:10.2f} {seconds[True]:8.2f}  {parts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("."))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        measure(arguments.folder, arguments.repeat)
        return
    words = [
        str(Path(sys.executable).with_name("mpirun")),
        "-n",
        str(arguments.ranks),
        "--oversubscribe",
        "--allow-run-as-root",
        sys.executable,
        __file__,
        "--inside",
        "--folder",
        str(arguments.folder),
        "--repeat",
        str(arguments.repeat),
    ]
    sys.exit(subprocess.run(words, check=False).returncode)


if __name__ == "__main__":
    main()
