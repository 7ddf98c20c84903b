"""The session page in a real browser: a session begun, steered and stopped from it, on simulated movies."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from verglas.cli.demo.plan import PARTICLE_DIAMETER_ANGST, DemoPlan
from verglas.scheduler.live.record.order import LiveFolder

FRONTEND = Path(__file__).parents[2] / "frontend"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FRONTEND / "node_modules/playwright-core").exists(),
        reason="node or playwright-core is not installed (npm ci in frontend/)",
    ),
]


def test_a_session_is_begun_steered_and_stopped_from_its_page(server, simulated, tmp_path):
    session = DemoPlan.quick().session
    given = {
        "pixel-size": f"{session.pixel_size_angst:g}",
        "kv": f"{session.voltage_kv:g}",
        "cs": f"{session.cs_mm:g}",
        "dose-per-frame": f"{session.dose_per_frame_e_a2:g}",
        "gain": "gain.mrc",
        "diameter": f"140,{PARTICLE_DIAMETER_ANGST:g}",
    }
    plan = tmp_path / "given.json"
    plan.write_text(json.dumps({"given": given, "movies": 3}))
    done = subprocess.run(
        ["node", str(FRONTEND / "tests/live_page.mjs"), server, str(plan)],
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = LiveFolder(simulated.root, "live1")
    assert folder.phase() == "stopped"
    assert "accept" in folder.manual_file.read_text()
