"""Ten kills in a running Autorun change nothing of its result (200 by name: benchmarks/kill_autorun.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import kill_autorun


@pytest.mark.slow
def test_ten_kills(tmp_path, monkeypatch):
    sys.path.insert(0, str(kill_autorun.TESTS))
    from fake_project import FAKES

    monkeypatch.setenv("VERGLAS_JOB_TYPES", ",".join(f"{key}={value}" for key, value in FAKES.items()))
    monkeypatch.setenv("PYTHONPATH", str(kill_autorun.TESTS))
    report = kill_autorun.run(tmp_path, kill_autorun.Texts(), kills=10, seed=7, n_movies=6, pause_s=0.4)
    assert report["same"], report["differences"]
    assert report["kills in all"] == 10
    assert report["longest until the schedule was alive again (s)"] < 15  # 5 on a machine at rest
