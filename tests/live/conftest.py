"""A project whose stages are fakes, a folder into which movies arrive, and a session in this process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.movies_write import write_movie_mrc
from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
from verglas.scheduler.live.requests.facts import Fact, Intake
from verglas.scheduler.live.requests.first_options import chain_options, set_up
from verglas.scheduler.live.session.session import LiveSession

HERE = Path(__file__).parent
FAKES = {
    "MotionCorr": "fake_stages:FakeMotion",
    "CtfFind": "fake_stages:FakeCtf",
    "AutoPick": "fake_stages:FakePicks",
    "Extract": "fake_stages:FakeExtract",
}


def _write_movie(path: Path, seed: int = 0, frames: int = 2, size: int = 16) -> Path:
    """A tiny complete movie."""
    pixels = np.random.default_rng(seed).integers(0, 5, (frames, size, size), dtype=np.int8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_movie_mrc(path, pixels, 1.5, durable=False)
    return path


@pytest.fixture
def write_movie():
    """Writes a tiny complete movie: (path, seed, frames, size)."""
    return _write_movie


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("VERGLAS_JOB_TYPES", ",".join(f"{k}={v}" for k, v in FAKES.items()))
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Movies").mkdir()
    return Project.create(tmp_path)


@pytest.fixture
def movies(project) -> Path:
    return project.root / "Movies"


@pytest.fixture
def make_session(project):
    """Register a session (thresholds and order fields as given); its folder."""

    def make(thresholds: str = "", classes: bool = False, **fields) -> LiveFolder:
        intake = Intake("Movies/*.mrc")
        facts = {
            "pixel-size": 1.5,
            "kv": 300.0,
            "cs": 2.7,
            "amplitude-contrast": 0.1,
            "dose-per-frame": 1.0,
            "diameter": "20,30",
            "thresholds": thresholds,
        }
        intake.facts = {key: Fact(value, "test") for key, value in facts.items()}
        settings = {"workers": 1, "publish_s": 0.3, "poll_s": 0.05, **fields}
        options = chain_options(intake, {})
        return set_up(project, LiveOrder(**settings), intake, options, classes=classes, by_beam_shift=False)

    return make


@pytest.fixture
def finish(project):
    """Drain a session in this process: everything that is there is done and listed."""

    def run(folder: LiveFolder) -> None:
        if folder.phase() in ("finished", "stopped"):
            folder.set_phase("running")
        folder.wish("finish")
        LiveSession(project, folder).run()

    return run
