"""The built pages are in the package, complete, and load nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
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
