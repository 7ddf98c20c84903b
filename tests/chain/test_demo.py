"""The demo in its quick form: two rounds, figures within their bounds, a second call resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verglas.cli.main import main


@pytest.mark.slow
def test_the_quick_demo_keeps_its_promises(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"
    assert main(["demo", "--quick", str(folder)]) == 0, capfd.readouterr()
    where, look, own = capfd.readouterr().out.strip().splitlines()[-3:]
    assert str(folder / "report.html") in where
    assert f"verglas gui {folder / 'project'} " in look
    assert "verglas new my_project && cd my_project && verglas job schedule Import" in own
    record = json.loads((folder / "demo.json").read_text())
    assert all(figure["good"] for figure in record["figures"])
    what = {(entry["round"], entry["job"]): entry["what"] for entry in record["rounds"]}
    assert what[(2, "MotionCorr/job002/")] == "2 new, 2 kept"
    assert what[(2, "Class2D/job006/")].startswith("from scratch")
    assert "data:image/png" in (folder / "report.html").read_text()
    written = (folder / "project/Class2D/job006/run_it008_data.star").stat().st_mtime_ns
    assert main(["demo", "--quick", str(folder)]) == 0
    assert (folder / "project/Class2D/job006/run_it008_data.star").stat().st_mtime_ns == written
