"""The map of a session on its page: routes, and the panel in a real browser, on a made-up session."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from answers_scene import JOB, make_session

from maps_runs import map_of_blobs
from verglas.formats.mrc import write_mrc
from verglas.project.project import Project
from verglas.scheduler.live import answers
from verglas.scheduler.live.record.map_state import MapState

FRONTEND = Path(__file__).parents[2] / "frontend"


@pytest.fixture
def with_map(tmp_path, monkeypatch):
    """A project with a session whose map asks for its symmetry; nobody works on it."""
    folder = make_session(tmp_path)
    write_mrc(tmp_path / JOB / "run_class001.mrc", map_of_blobs().astype(np.float32), 4.0)
    state = MapState.read(folder)
    state.proposed_symmetry = [["D7", 0.91, "turns about z by 51.4° leave it as it is"]]
    state.write(folder)
    answers.write(Project(tmp_path), folder)
    folder.set_phase("stopped")
    return tmp_path


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    shutil.which("node") is None or not (FRONTEND / "node_modules/playwright-core").exists(),
    reason="node or playwright-core is not installed (npm ci in frontend/)",
)
def test_the_panel_tells_the_answers_and_takes_a_symmetry(with_map):
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(with_map), "--port", "8962"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().split()[-1].rstrip("/")
    try:
        script = str(FRONTEND / "tests/map_page.mjs")
        done = subprocess.run(["node", script, address], capture_output=True, text=True, timeout=240)
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()
    assert done.returncode == 0, done.stdout + done.stderr
