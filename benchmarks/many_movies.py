"""What a round with nothing new costs in a project of many movies, and what status and Browse cost.

    python benchmarks/many_movies.py --movies 20000

One small simulated movie goes through Import to Extract; its files are then multiplied under other names
(bytes hard-linked, texts rewritten), the jobs are repeated once so that their lists hold all movies, and
once more, timed, with nothing new. CPU seconds are those of the job's process and its children.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

JOBS = [
    ("Import", ["--fn_in_raw", "Movies/*.tif", "--angpix", "1.7"]),
    ("MotionCorr", ["--input_star_mics", "Import/job001/movies.star", "--dose_per_frame", "1.4"]),
    ("CtfFind", ["--input_star_mics", "MotionCorr/job002/corrected_micrographs.star"]),
    (
        "AutoPick",
        [
            "--fn_input_autopick",
            "CtfFind/job003/micrographs_ctf.star",
            "--do_log",
            "Yes",
            "--log_diam_min",
            "140",
            "--log_diam_max",
            "190",
        ],
    ),
    (
        "Extract",
        [
            "--star_mics",
            "CtfFind/job003/micrographs_ctf.star",
            "--coords_suffix",
            "AutoPick/job004/coords_suffix_autopick.star",
            "--extract_size",
            "128",
        ],
    ),
]
FIRST = "mov_0001"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--movies", type=int, default=20000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/verglas-many"))
    parser.add_argument("--again", action="store_true", help="the folder of an earlier call")
    arguments = parser.parse_args()
    folder = arguments.folder
    report: dict[str, object] = {"movies": arguments.movies}
    if not arguments.again:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        prepare(folder)
        multiply(folder, arguments.movies)
        report["first repeat, all new (CPU s)"] = repeat(folder)
    costs = repeat(folder)
    report["repeat with nothing new (CPU s)"] = costs
    report["together (CPU s)"] = round(sum(each["cpu"] for each in costs.values()), 2)
    report["together (s)"] = round(sum(each["wall"] for each in costs.values()), 2)
    report["status"] = timed(folder, "status")
    report["nodes"] = timed(folder, "nodes", "--type", "particles")
    print(json.dumps(report, indent=1))
    return 0


def prepare(folder: Path) -> None:
    words = ["session", "sim", "--movies", "1", "--size", "384", "--frames", "6"]
    words += ["--particles", "8", "--workers", "1"]
    timed(folder, "simulate", *words)
    timed(folder, "new", ".")
    for kind, options in JOBS:
        timed(folder, "job", "run", kind, *options)


def multiply(folder: Path, movies: int) -> None:
    """Every file of the first movie, under the names of all others."""
    for path in [each for each in folder.rglob(f"*{FIRST}*") if "sim" not in each.parts]:
        data = path.read_bytes()
        is_text = path.suffix in (".star", ".log", ".eps")
        for number in range(2, movies + 1):
            name = f"mov_{number:05d}"
            target = path.with_name(path.name.replace(FIRST, name))
            if is_text:
                target.write_bytes(data.replace(FIRST.encode(), name.encode()))
            else:
                try:
                    os.link(path, target)
                except OSError:  # too many links
                    shutil.copyfile(path, target)
                    path = target


def repeat(folder: Path) -> dict[str, dict[str, float]]:
    return {kind: timed(folder, "job", "run", str(n)) for n, (kind, _) in enumerate(JOBS, 1)}


def timed(folder: Path, *words: str) -> dict[str, float]:
    """Run a command there; wall and CPU seconds, and the largest memory of its processes so far."""
    begin, before = time.monotonic(), _cpu_s()
    command = [sys.executable, "-m", "verglas.cli.main", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return {"wall": round(time.monotonic() - begin, 2), "cpu": round(_cpu_s() - before, 2)}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
