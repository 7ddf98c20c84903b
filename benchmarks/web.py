"""Figures of the pages: memory of the server, first paint, 10,000 movies, 200 classes, 8192² tiles, 1M rows.

    python benchmarks/web.py [--keep DIR]

Makes a project of simulated metadata, serves it, drives headless Chromium (node, frontend/node_modules)
and prints one figure a line beside what it is measured by. Tasks, frames and openings come as wall time
and as CPU time (`_cpu_ms`): the limits are for wall time on a machine that does nothing else, where the
two are equal; other programs show in the first and not in the second.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.registry import job_class
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import register

MOVIES, CLASSES, SIDE, ROWS = 10_000, 200, 8192, 1_000_000
PORT = 8977
LONGEST_TASK_MS = 200
FRONTEND = Path(__file__).parents[1] / "frontend"
LIMITS = {
    "memory_idle_mb": 300,
    "memory_million_rows_mb": 1000,
    "memory_highest_mb": 1000,
    "first_paint_ms": 1000,
    "first_paint_cold_ms": 1000,
    "viewer_frame_median_ms": 33,
    "viewer_frame_95_ms": 80,
    "viewer_frame_cpu_ms": 33,
    "next_micrograph_ms": 1000,
    "next_micrograph_cpu_ms": 1000,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="make the project here and leave it")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp(prefix="verglas-web-"))
    try:
        root = folder / "project"
        if not (root / "million.star").exists():
            make_project(root)
        found = measure(root)
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)
    for key, value in found.items():
        print(f"{key:<44} {value}{_verdict(key, value)}")
    return 0


def _verdict(key: str, value: object) -> str:
    limit = LONGEST_TASK_MS if "longest_task" in key else LIMITS.get(key)
    if limit is None or not isinstance(value, int | float):
        return ""
    return f"   (at most {limit}: {'good' if value <= limit else 'MISSED'})"


def measure(root: Path) -> dict[str, object]:
    """Serve, measure idle memory, drive the pages, measure memory again."""
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(root), "--port", str(PORT)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        base = server.stdout.readline().split()[-1].rstrip("/")
        time.sleep(2)
        found: dict[str, object] = {"memory_idle_mb": _megabytes(server.pid)}
        found["torch_imported"] = "libtorch" in Path(f"/proc/{server.pid}/maps").read_text()
        script = str(FRONTEND / "tests/measure.mjs")
        done = subprocess.run(
            ["node", script, base, str(server.pid)], capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        found |= json.loads(done.stdout.splitlines()[-1])
        found["memory_million_rows_mb"] = _megabytes(server.pid)
        found["memory_highest_mb"] = _megabytes(server.pid, "VmHWM")
        return found
    finally:
        server.terminate()
        server.wait(20)


def make_project(root: Path) -> None:
    """Chain of finished jobs with their tables; one 8192² micrograph under 10,000 names."""
    project = Project.create(root)
    for folder, values in (
        ("Import", {"fn_in_raw": "Movies/*.tif"}),
        ("MotionCorr", {"input_star_mics": "Import/job001/movies.star"}),
        ("CtfFind", {"input_star_mics": "MotionCorr/job002/corrected_micrographs.star"}),
        ("Class2D", {"fn_img": "particles.star", "nr_iter": "25"}),
    ):
        kind = job_class(folder)
        options, _ = kind.Options.parse(values)
        name = register(project, kind, options, status=Status.SUCCEEDED)
        project.directory(name).write_exit(Status.SUCCEEDED)
    rng = np.random.default_rng(1)
    _micrographs(root, rng)
    _classes(root / "Class2D/job004", rng)
    _million(root / "million.star", rng)


def _micrographs(root: Path, rng: np.random.Generator) -> None:
    folder = root / "MotionCorr/job002/Movies"
    folder.mkdir(parents=True)
    image = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    write_mrc(folder / "m00000.mrc", image, 0.5)
    names = [f"MotionCorr/job002/Movies/m{n:05d}.mrc" for n in range(MOVIES)]
    for number in range(1, MOVIES):
        if number < 5:
            shutil.copy(folder / "m00000.mrc", root / names[number])
        else:
            (root / names[number]).symlink_to("m00000.mrc")
    optics = StarTable.from_columns(
        "optics", {"rlnOpticsGroupName": ["g"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [0.5]}
    )
    defocus = rng.uniform(8000, 25000, MOVIES)
    columns = {
        "rlnMicrographName": names,
        "rlnOpticsGroup": [1] * MOVIES,
        "rlnDefocusU": defocus,
        "rlnDefocusV": defocus + rng.normal(0, 200, MOVIES),
        "rlnCtfMaxResolution": rng.gamma(6, 0.7, MOVIES) + 2,
        "rlnCtfFigureOfMerit": rng.uniform(0.1, 0.3, MOVIES),
        "rlnAccumMotionTotal": rng.gamma(5, 3, MOVIES),
    }
    table = StarTable.from_columns("micrographs", columns)
    for path in ("CtfFind/job003/micrographs_ctf", "MotionCorr/job002/corrected_micrographs"):
        write_star(root / f"{path}.star", [optics, table])


def _classes(folder: Path, rng: np.random.Generator) -> None:
    stack = rng.normal(0, 1, (CLASSES, 128, 128)).astype(np.float32)
    write_mrc(folder / "run_it025_classes.mrcs", stack, 2.0)
    general = {"rlnReferenceDimensionality": 2, "rlnOriginalImageSize": 128, "rlnPixelSize": 2.0}
    prefix = "Class2D/job004/run_it025_classes.mrcs"
    columns = {
        "rlnReferenceImage": [f"{n + 1:06d}@{prefix}" for n in range(CLASSES)],
        "rlnClassDistribution": rng.dirichlet(np.ones(CLASSES)),
        "rlnEstimatedResolution": rng.uniform(6, 30, CLASSES),
    }
    tables = [
        StarTable.from_columns("model_general", general, is_list=True),
        StarTable.from_columns("model_classes", columns),
    ]
    write_star(folder / "run_it025_model.star", tables)


def _million(path: Path, rng: np.random.Generator) -> None:
    columns = {
        "rlnCoordinateX": rng.uniform(0, 4000, ROWS),
        "rlnCoordinateY": rng.uniform(0, 4000, ROWS),
        "rlnDefocusU": rng.uniform(8000, 25000, ROWS),
        "rlnDefocusV": rng.uniform(8000, 25000, ROWS),
        "rlnAngleRot": rng.uniform(-180, 180, ROWS),
        "rlnAngleTilt": rng.uniform(0, 180, ROWS),
        "rlnAnglePsi": rng.uniform(-180, 180, ROWS),
        "rlnClassNumber": rng.integers(1, 200, ROWS),
        "rlnImageName": [f"{n % 300 + 1:06d}@Extract/job005/m{n // 300:05d}.mrcs" for n in range(ROWS)],
        "rlnMicrographName": [f"MotionCorr/job002/Movies/m{n // 300:05d}.mrc" for n in range(ROWS)],
    }
    write_star(path, [StarTable.from_columns("particles", columns)])


def _megabytes(pid: int, key: str = "VmRSS") -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
