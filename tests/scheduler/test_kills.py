"""Kills change nothing of the result of a running Autorun, nor of a live session that makes a map.

Many more by name: benchmarks/kill_autorun.py, benchmarks/kill_live.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import kill_autorun
import kill_live


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


@pytest.mark.slow
def test_ten_kills_of_a_session_with_a_map(tmp_path, monkeypatch, capsys):
    for name in ("VERGLAS_JOB_TYPES", "PYTHONPATH", "FAKE_STAGE_S", "FAKE_MAP_S"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    given = argparse.Namespace(kills=10, movies=8, seed=3, pause=0.7)
    assert kill_live.judged(tmp_path, kill_live.TinyMovies(maps=True), given) == 0, capsys.readouterr().out
    assert kill_live.map_of(tmp_path / "killed").startswith("final ")
