"""A project of RELION 5 with real micrographs: everything is shown, nothing is written by looking."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path

import pytest

from verglas.web.app import create_app
from verglas.web.projects import project_id
from verglas.web.settings import WebSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

pytestmark = pytest.mark.real


def digest_of(root: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        found.update(str(path.relative_to(root)).encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def test_a_relion_5_project_is_shown_and_left_as_it_is(real_data, tmp_path):
    source = real_data / "empiar10204_betagal" / "project"
    if not source.exists():
        pytest.skip("no RELION 5 project among the real data")
    root = tmp_path / "project"
    shutil.copytree(source, root)
    before = digest_of(root)
    settings = WebSettings((root,), False, allowed_hosts=frozenset({"testserver"}))
    with TestClient(create_app(settings)) as client:

        def get(path: str, /, **query: object):
            answer = client.get(f"/api/p/{project_id(root)}/{path}", params=query)
            assert answer.status_code == 200, (path, answer.text)
            return answer.json() if "json" in answer.headers["content-type"] else answer

        jobs = get("jobs")["jobs"]
        assert len(jobs) == 8 and {job["status"] for job in jobs} == {"Succeeded"}
        for job in jobs:
            shown = get(f"jobs/{job['name'].rstrip('/')}")
            assert shown["tabs"] and shown["values"], job["name"]
            get(f"jobs/{job['name'].rstrip('/')}/log")
        assert get("micrographs/list", path="CtfFind/job005/micrographs_ctf.star")["names"]
        found = get("classes/gallery", model="Class2D/job010/run_it025_optimiser.star")
        assert [name[-14:] for name in found["models"]] == ["000_model.star", "025_model.star"]
        assert sum(row["particles"] for row in found["classes"]) > 1000
        get("classes/sprite", model=found["model"])
        assert get("tables/page", path=found["data"], block="particles", count=5)["passing"] > 1000
        get("overview")
        get("report")
        for name in get("micrographs")["picks"]:
            get(
                "micrographs/picks",
                node=name["node"],
                micrograph="MotionCorr/job002/Movies/20170629_00021_frameImage.mrc",
            )
    assert digest_of(root) == before
