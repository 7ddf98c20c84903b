"""The fixture of a project whose job types are the fakes, also for the processes it starts.

Import it in a folder's conftest: `from fake_project import project`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verglas.project.project import Project

HERE = Path(__file__).parent
FAKES = {
    "Import": "fake_jobs:FakeImport",
    "MotionCorr": "fake_jobs:FakeMotion",
    "Class2D": "fake_jobs:FakeClass2D",
    "Select": "fake_jobs:FakeSelect",
    "ManualPick": "fake_jobs:FakeChoice",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("VERGLAS_JOB_TYPES", ",".join(f"{key}={value}" for key, value in FAKES.items()))
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Movies").mkdir()
    (tmp_path / "orders").mkdir()
    return Project.create(tmp_path)
