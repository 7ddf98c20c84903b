"""The built pages are in the package, complete, and load nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verglas.web.serving.assets import STATIC

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"


def _node_version() -> tuple[int, ...]:
    if shutil.which("node") is None:
        return ()
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout)[:2])


def test_every_part_that_a_page_names_is_there(served):
    page = served.client.get("/")
    assert page.status_code == 200 and page.headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)
    assert named
    for name in named:
        answer = served.client.get(f"/{name}")
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    for script in (STATIC / "assets").glob("*.js"):
        for part in re.findall(r'"\./([\w.-]+\.(?:js|css))"', script.read_text()):
            assert (STATIC / "assets" / part).exists(), f"{script.name} names {part}"


def test_pages_name_no_address_elsewhere():
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', (STATIC / "index.html").read_text())
    for sheet in (STATIC / "assets").glob("*.css"):
        assert "url(http" not in sheet.read_text() and "@import" not in sheet.read_text()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    not (FRONTEND / "node_modules/vite").exists(),
    reason="the packages of frontend/ are not installed (npm ci in frontend/)",
)
@pytest.mark.skipif(_node_version() < (20, 19), reason="building the pages needs node 20.19 or newer")
def test_the_committed_pages_are_what_the_source_builds():
    done = subprocess.run(
        ["sh", str(ROOT / "tools/check_bundle.sh")], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr


needs_node = pytest.mark.skipif(
    not (FRONTEND / "node_modules/vitest").exists() or _node_version() < (20, 19),
    reason="the packages of frontend/ are not installed (npm ci in frontend/), or node is older than 20.19",
)


@needs_node
def test_what_the_pages_compute():
    done = subprocess.run(["npx", "vitest", "run"], cwd=FRONTEND, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
@pytest.mark.browser
def test_the_shapes_of_the_pages_are_those_of_the_server(tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src")}
    made = tmp_path / "schema.ts"
    done = subprocess.run(
        ["sh", str(FRONTEND / "types.sh"), str(made)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert made.read_text() == (FRONTEND / "src/api/schema.ts").read_text(), "run npm run types in frontend/"
