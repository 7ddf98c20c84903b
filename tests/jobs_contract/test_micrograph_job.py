"""What a job that works micrograph by micrograph takes from its input list, and what travels to a worker."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.ctffind.job import CtfEstimation


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CtfEstimation:
    monkeypatch.chdir(tmp_path)
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1], "rlnVoltage": [300.0]})
    names = [f"m{number}.mrc" for number in range(3)]
    columns = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * 3}
    write_star("micrographs.star", [optics, StarTable.from_columns("micrographs", columns)])
    flags = CtfEstimation.program.parse(["--i", "micrographs.star", "--o", "CtfFind/job003/"])
    return CtfEstimation(flags, RunContext(Path("CtfFind/job003"), say=lambda _: None))


def test_inputs_are_read_once(job: CtfEstimation) -> None:
    assert [item.name for item in job.inputs.items] == ["m0.mrc", "m1.mrc", "m2.mrc"]
    Path("micrographs.star").unlink()
    assert job.inputs is job.inputs
    with pytest.raises(AttributeError):
        job.inputs.optics = {}  # type: ignore[misc]


def test_a_worker_gets_the_optics_and_not_all_items(job: CtfEstimation) -> None:
    items = job.inputs.items
    sent = pickle.loads(pickle.dumps(job))
    assert sent.inputs.items == () and sent.inputs.optics == job.inputs.optics
    assert job.inputs.items == items
