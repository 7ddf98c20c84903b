"""The hand of a map: a chiral phantom in a real browser, and what a wrong hand would look like."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.project.project import Project

FRONTEND = Path(__file__).parents[2] / "frontend"
N = 48
ARMS = {"x": 30, "y": 22, "z": 14}  # voxels; different, so that the phantom has a hand

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FRONTEND / "node_modules/playwright-core").exists(),
        reason="node or playwright-core is not installed (npm ci in frontend/)",
    ),
]


def phantom() -> np.ndarray:
    """A corner (z, y, x) with one arm along each axis, towards larger indices."""
    data = np.zeros((N, N, N), np.float32)
    thick = slice(9, 15)
    data[thick, thick, 9 : 9 + ARMS["x"]] = 1
    data[thick, 9 : 9 + ARMS["y"], thick] = 1
    data[9 : 9 + ARMS["z"], thick, thick] = 1
    return data


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    project = Project.create(tmp_path / "maps")
    write_mrc(project.root / "right.mrc", phantom(), 2.0)
    write_mrc(project.root / "wrong.mrc", phantom()[::-1], 2.0)
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(project.root), "--port", "8951"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1].rstrip("/")
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_a_map_has_its_hand_and_its_mirror_image_the_other(server):
    done = {
        name: subprocess.run(
            ["node", str(FRONTEND / "tests/hand.mjs"), server, f"{name}.mrc"],
            capture_output=True,
            text=True,
            timeout=140,
        )
        for name in ("right", "wrong")
    }
    assert done["right"].returncode == 0, done["right"].stdout + done["right"].stderr
    assert "z was towards the eye" in done["wrong"].stderr, "the check must notice a mirror image"
