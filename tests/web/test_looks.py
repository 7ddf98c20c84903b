"""Every page in light and dark, at a desk and on a phone, in a real browser, on a finished project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FRONTEND / "node_modules/axe-core").exists(),
        reason="node or the packages of frontend/ are not installed (npm ci in frontend/)",
    ),
]


def test_every_page_in_light_and_dark_at_a_desk_and_on_a_phone(project):
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(project.root), "--port", "8961"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().split()[-1].rstrip("/")
    try:
        done = subprocess.run(
            ["node", str(FRONTEND / "tests/looks.mjs"), address], capture_output=True, text=True, timeout=560
        )
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()
    assert done.returncode == 0, done.stdout + done.stderr
