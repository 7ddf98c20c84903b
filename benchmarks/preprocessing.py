"""Preprocessing in one table: ours, RELION's, and the bound or truth, from one run.

    python benchmarks/preprocessing.py --movies DIR ... --micrographs DIR [--data DATA] [--o TABLE.md]

Calls the benchmarks of motion correction, CTF estimation, picking and extraction in turn; what DIR and DATA
hold is said there (motioncorr.py --movies, picking.py --set and --data). Parts whose folder is not given are
left out, RELION's column is empty where it is not installed. `--quick` corrects movies once (errors, no
seconds) and leaves extraction out.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import extraction
import motioncorr
import numpy as np

import ctf
import picking

SIMULATED_CTFS = 8


@dataclass(frozen=True)
class Line:
    """One line of the table, in words."""

    what: str
    ours: str
    relion: str = ""
    bound: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.relion} | {self.bound} |"


def spread(values: Iterable[float], digits: int = 2) -> str:
    """One value, or the range of several."""
    low, high = min(found := list(values)), max(found)
    one, other = f"{low:.{digits}f}", f"{high:.{digits}f}"
    return one if one == other else f"{one}-{other}"


def motion(folders: list[Path], items: int) -> Iterable[Line]:
    """Errors and seconds over all movies, whole frames and 5 x 5 patches apart."""
    with tempfile.TemporaryDirectory() as scratch:
        everything = motioncorr.known_drift(folders, items, Path(scratch))
    for is_local, name in ((False, "motion, whole frame"), (True, "motion, 5 x 5 patches")):
        here = [each for each in everything if each.is_local == is_local]
        if not here:
            continue
        ours, theirs = (
            [each for each in here if each.program == program] for program in ("verglas", "RELION")
        )
        errors = {"track": (lambda each: each.errors.whole, 0.36 if is_local else 0.26)}
        if is_local:
            errors["local"] = (lambda each: each.errors.local, 0.55)
        for label, (error, bound) in errors.items():
            yield Line(
                f"{name}: error of the {label}, px ({len(ours)} movies)",
                spread(map(error, ours)),
                spread(map(error, theirs)) if theirs else "",
                f"at most {bound}",
            )
        if items > 1:
            mine = float(np.mean([each.cpu_seconds for each in ours]))
            other = float(np.mean([each.cpu_seconds for each in theirs])) if theirs else np.nan
            yield Line(
                f"{name}: CPU s per movie",
                f"{mine:.2f}",
                f"{other:.2f}" if theirs else "",
                f"half of RELION's; {mine / other:.2f}" if theirs else "half of RELION's",
            )


def contrast_transfer(data: Path | None) -> Iterable[Line]:
    """Published values and simulated micrographs. RELION has no CTF program of its own."""
    if data is not None:
        u, v = ctf.real(data)
        yield Line("CTF, 12 real spectra: largest error of U, V, Å", f"{u:.0f}, {v:.0f}", bound="at most 100")
    u, v, astigmatism, seconds = ctf.simulated(SIMULATED_CTFS, 4096)
    name = f"CTF, {SIMULATED_CTFS} simulated 4096²"
    yield Line(f"{name}: median error of U, V, Å", f"{u:.0f}, {v:.0f}", bound="at most 30")
    yield Line(f"{name}: median error of astigmatism, Å", f"{astigmatism:.0f}", bound="at most 60")
    yield Line(f"{name}: CPU s per micrograph", f"{seconds:.2f}", bound="at most 1.5")


def picks(micrographs: Path | None, data: Path | None, count: int) -> Iterable[Line]:
    """F1 and seconds of every method."""
    parts = []
    if micrographs is not None:
        blobs, templates = picking.simulated(micrographs, count)
        parts.append(("LoG, simulated", blobs, "at least 0.79"))
        parts.append(("templates, simulated", templates, "at least 0.98; 1/5 of RELION's s"))
    if data is not None:
        parts.append(("LoG, real apoferritin", picking.real(data), "at least 0.90"))
    for name, measured, bound in parts:
        said = {
            program: "; ".join(
                f"F1 {each.score.f1:.3f}, {each.cpu_seconds:.2f} s ({each.label})"
                for each in measured
                if each.program == program
            )
            for program in ("verglas", "RELION")
        }
        yield Line(f"picking, {name}: F1, CPU s per micrograph", said["verglas"], said["RELION"], bound)


def particles(micrographs: Path, memory: Path, disc: Path) -> Iterable[Line]:
    """Particles per second."""
    for rates in extraction.measure(micrographs, memory, disc):
        theirs = "" if rates.relion_at_160 is None else f"{rates.relion_at_160:.0f}"
        yield Line(
            f"extraction, 160 px, {rates.place}: particles per CPU s",
            f"{rates.at_160:.0f}",
            theirs,
            "twice RELION's",
        )
        yield Line(
            f"extraction, 256 px, {rates.place}: particles per CPU s; per s on 2 cores",
            f"{rates.at_256:.0f}; {rates.at_256_on_two_cores:.0f}",
            bound="2,000 per s on 2 cores, to memory",
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--movies", type=Path, nargs="*", default=[])
    parser.add_argument("--micrographs", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--items", type=int, default=9, help="movies of one job that is timed")
    parser.add_argument("--count", type=int, default=8, help="simulated micrographs to pick")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--disc", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--o", type=Path, help="where to write the table as well")
    given = parser.parse_args()
    lines: list[Line] = []
    if given.movies:
        lines += motion(given.movies, 0 if given.quick else given.items)
    lines += contrast_transfer(given.data)
    lines += picks(given.micrographs, given.data, given.count)
    if given.micrographs is not None and not given.quick:
        lines += particles(given.micrographs, given.memory, given.disc)
    head = Line("what", "verglas", "RELION", "bound")
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {loads}"
    table = "\n".join(map(str, [head, "|---|---|---|---|", *lines]))
    print(f"\n{table}\n\n{machine}")
    if given.o:
        given.o.write_text(f"{table}\n\n{machine}\n")


if __name__ == "__main__":
    main()
