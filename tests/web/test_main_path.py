"""The main path in a real browser, on simulated movies, from an empty project to a Select job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from verglas.cli.demo.plan import DemoPlan
from verglas.formats.star import read_star
from verglas.jobs.options import to_text
from verglas.jobs.registry import job_class
from verglas.project.project import Project

FRONTEND = Path(__file__).parents[2] / "frontend"
PORT = 8931

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FRONTEND / "node_modules/playwright-core").exists(),
        reason="node or playwright-core is not installed (npm ci in frontend/)",
    ),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project whose movies are simulated."""
    plan = DemoPlan.quick()
    made = Project.create(tmp_path / "session")
    words = ["simulate", "session", str(tmp_path / "truth"), "--into", str(made.root / "Movies")]
    given = plan.session
    words += ["--movies", "3", "--particles", str(given.particles), "--size", str(given.size)]
    words += ["--frames", str(given.frames), "--views", str(given.views), "--seed", "7"]
    subprocess.run(
        [sys.executable, "-m", "verglas.cli.main", *words], check=True, env=_environment()
    )
    gain = next((tmp_path / "truth").rglob("gain.mrc"))
    shutil.copy(gain, made.root / "gain.mrc")
    return made


@pytest.fixture
def server(project: Project) -> Iterator[str]:
    words = [
        sys.executable,
        "-m",
        "verglas.cli.main",
        "gui",
        str(project.root),
        "--port",
        str(PORT),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=_environment())
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1].rstrip("/")
    time.sleep(1.5)
    yield address
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_the_manuals_chain_by_schedule_autorun_picks_and_classes(server, project, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(_chain()))
    done = subprocess.run(
        ["node", str(FRONTEND / "tests/main_path.mjs"), server, str(plan)],
        capture_output=True, text=True, timeout=880,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    graph = project.graph()
    select = next(name for name in graph.processes if name.startswith("Select/"))
    manual = next(name for name in graph.processes if name.startswith("ManualPick/"))
    assert len(read_star(project.root / select / "particles.star")["particles"]) > 0
    assert (project.root / select / "backup_selection.star").exists()
    assert len(read_star(project.root / manual / "manualpick.star").first) == 3


def _chain() -> list[dict[str, object]]:
    """Titles and values that differ from the defaults, as a person types them."""
    found = []
    for folder, values in DemoPlan.quick().chain(1):
        kind = job_class(folder)
        defaults = {key: field.default for key, field in kind.Options.model_fields.items()}
        changed = {key: to_text(value) for key, value in values.items() if value != defaults[key]}
        found.append({"title": kind.type.title, "folder": folder, "values": changed})
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
