"""Extraction: particles per CPU second and per second, ours and RELION's, and that the pixels agree.

    python benchmarks/extraction.py --set DIR [--memory /dev/shm] [--disc /tmp]

DIR holds simulated micrographs with truth (see picking.py). Boxes of 160 px (one process) and of 256 px
(two processes), to a memory-backed directory and to a disc. Start-up is measured by a job over one
micrograph and left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star, write_star


@dataclass(frozen=True)
class Rates:
    """Particles per CPU second, of 256 px also per second on two cores."""

    place: str
    at_160: float
    relion_at_160: float | None  # None: not installed
    at_256: float
    at_256_on_two_cores: float


REPEATS = 8  # the list names each micrograph's copies, so that start-up weighs little


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of a command and its children."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1"}
    environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout[-800:]}{done.stderr[-800:]}")
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def flags(box: int) -> list[str]:
    radius = str(int(0.375 * box))
    return [
        "--coord_dir",
        "./",
        "--coord_suffix",
        "_truth.star",
        "--extract",
        "--extract_size",
        str(box),
        "--norm",
        "--bg_radius",
        radius,
        "--white_dust",
        "-1",
        "--black_dust",
        "-1",
        "--invert_contrast",
    ]


def rate(program: list[str], box: int, folder: Path) -> tuple[float, float, int]:
    """Particles per CPU second and per second beyond start-up, and how many in all."""
    costs, counts = [], []
    for name in ("one", "all"):
        out = f"{name}_out"
        shutil.rmtree(folder / out, ignore_errors=True)
        command = [*program, "--i", f"{name}.star", "--part_dir", f"{out}/", "--part_star"]
        costs.append(timed([*command, f"{out}/particles.star", *flags(box)], folder))
        counts.append(len(read_star(folder / out / "particles.star")["particles"]))
    shutil.rmtree(folder / "all_out")  # gigabytes, of memory perhaps
    more = counts[1] - counts[0]
    cpu, wall = (max(1e-9, costs[1][k] - costs[0][k]) for k in (0, 1))
    return more / cpu, more / wall, counts[1]


def on_two_cores(program: list[str], box: int, folder: Path) -> float:
    """Particles per second of two processes that share the list, start-up of one micrograph left out."""
    star = read_star(folder / "all.star")
    rows = star["micrographs"]
    for half in (0, 1):
        part = rows.take(list(range(half, len(rows), 2)))
        write_star(folder / f"half{half}.star", [star["optics"], part])

    def together(lists: list[str]) -> tuple[float, int]:
        begin, count = time.perf_counter(), 0
        running = []
        for name in lists:
            command = [*program, "--i", name, "--part_dir", f"{name}_2/", "--part_star"]
            command += [f"{name}_2/particles.star", *flags(box)]
            running.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL))
        for process in running:
            process.wait()
        wall = time.perf_counter() - begin
        for name in lists:
            count += len(read_star(folder / f"{name}_2" / "particles.star")["particles"])
            shutil.rmtree(folder / f"{name}_2")
        return wall, count

    start, first = together(["one.star"])
    wall, count = together(["half0.star", "half1.star"])
    return (count - 2 * first) / max(1e-9, wall - start)


def prepare(source: Path, folder: Path) -> None:
    star = read_star(source / "micrographs.star")
    rows = star["micrographs"]
    names = rows.strings("rlnMicrographName")
    listed, number = [], []
    for copy in range(REPEATS):
        for row, name in enumerate(names):
            stem = Path(name).stem
            (folder / f"c{copy}_{name}").symlink_to((source / name).resolve())
            truth = (source / f"{stem}_truth.star").resolve()
            (folder / f"c{copy}_{stem}_truth.star").symlink_to(truth)
            listed.append(f"c{copy}_{name}")
            number.append(row)
    table = rows.take(number).with_columns({"rlnMicrographName": listed})
    write_star(folder / "all.star", [star["optics"], table])
    write_star(folder / "one.star", [star["optics"], table.take([0])])


def agreement(folder: Path, box: int) -> float:
    """Largest difference of a pixel from RELION's, first micrograph."""
    ours = read_mrc(folder / "one_out" / f"{first_stem(folder)}.mrcs").data
    command = ["relion_preprocess", "--i", "one.star", "--part_dir", "r/", "--part_star", "r/p.star"]
    timed([*command, *flags(box)], folder)
    return float(np.abs(ours - read_mrc(folder / "r" / f"{first_stem(folder)}.mrcs").data).max())


def first_stem(folder: Path) -> str:
    return Path(read_star(folder / "one.star")["micrographs"].strings("rlnMicrographName")[0]).stem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", type=Path, required=True, help="folder of simulated micrographs")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--disc", type=Path, default=Path("/tmp"))
    arguments = parser.parse_args()
    measure(arguments.set, arguments.memory, arguments.disc)


def measure(source: Path, memory: Path, disc: Path) -> list[Rates]:
    """Both kinds of folder."""
    ours, rates = [sys.executable, "-m", "verglas.cli.main", "extract"], []
    for label, place in (("memory", memory), ("disc", disc)):
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            prepare(source, Path(scratch))
            rates.append(compare(ours, Path(scratch), label))
    return rates


def compare(ours: list[str], folder: Path, label: str) -> Rates:
    """Print and return the rates in one kind of folder."""
    cpu, wall, count = rate(ours, 160, folder)
    print(f"160 px, {count} particles, {label}: verglas {cpu:.0f} per CPU s, {wall:.0f} per s", flush=True)
    at_160, theirs = cpu, None
    if shutil.which("relion_preprocess"):
        print(f"  largest difference of a pixel from RELION's {agreement(folder, 160):.1e}")
        theirs, their_wall, _ = rate(["relion_preprocess"], 160, folder)
        print(
            f"  RELION {theirs:.0f} per CPU s, {their_wall:.0f} per s; ratio {cpu / theirs:.1f}", flush=True
        )
    cpu, wall, count = rate(ours, 256, folder)
    both = on_two_cores(ours, 256, folder)
    print(
        f"256 px, {count} particles, {label}: verglas {both:.0f} per s on 2 cores, {wall:.0f} on one, "
        f"{cpu:.0f} per CPU s",
        flush=True,
    )
    return Rates(label, at_160, theirs, cpu, both)


if __name__ == "__main__":
    main()
