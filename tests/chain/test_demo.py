"""The demo in its quick form: two rounds, figures within their bounds, a second call resumes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.demo.maps import map_results
from verglas.cli.demo.plan import FIRST_MAP, REFINED_MAP, DemoPlan
from verglas.cli.main import main
from verglas.formats.mrc import write_mrc
from verglas.jobs.registry import job_class
from verglas.jobs.simulate.model import load_model
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.volume import model_map


def test_the_way_to_a_map_is_scheduled_before_any_file_exists() -> None:
    chain = replace(DemoPlan(), three_d=True).chain(2)
    assert [folder for folder, _ in chain[6:]] == ["InitialModel", "Refine3D"]
    expected = []
    for number, (folder, values) in enumerate(chain, 1):
        job = job_class(folder)
        options = job.Options.checked(values)
        expected += [node.name for node in job.expected_outputs(options, f"{folder}/job{number:03d}/")]
    assert {FIRST_MAP, REFINED_MAP} <= set(expected)


def test_maps_are_laid_on_the_true_structure(tmp_path: Path) -> None:
    plan = DemoPlan(box=80, rescaled=32)
    pixel = plan.map_pixel_angst
    truth = model_map(load_model(), ProjectionSettings(32, pixel))
    for name, seen in ((FIRST_MAP, truth[::-1]), (REFINED_MAP, np.roll(truth, 1, axis=2))):
        (tmp_path / name).parent.mkdir(parents=True)
        write_mrc(tmp_path / name, np.ascontiguousarray(seen), pixel)
    results = map_results(tmp_path, plan)
    assert results.first_angst < 2.5 * pixel and results.refined_angst < 2.5 * pixel
    assert results.picture.shape == (3 * (3 * 32 + 6) - 6, 3 * (3 * 32 + 6) - 6)


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
