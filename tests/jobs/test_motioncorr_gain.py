"""Gain orientation within the job, and the gain command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verglas.cli.gain import main
from verglas.formats.gain import orient
from verglas.formats.movies_write import write_movie_mrc
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.motioncorr.job import MotionCorrection

SHAPE = (96, 128)


@pytest.fixture
def sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Three movies of a patterned sensor in a project; its sensitivities."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    sensitivity = rng.normal(1, 0.1, SHAPE)
    names = []
    for index in range(3):
        counts = rng.poisson(np.broadcast_to(8 * sensitivity, (4, *SHAPE))).astype(np.int16)
        names.append(f"m{index}.mrc")
        write_movie_mrc(names[-1], counts, 1.0)
    optics = {
        "rlnOpticsGroupName": ["a"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [1.0],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    movies = {"rlnMicrographMovieName": names, "rlnOpticsGroup": [1, 1, 1]}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", movies)]
    write_star("movies.star", tables)
    return sensitivity


def test_job_finds_the_orientation_and_reports_it(sensor: np.ndarray) -> None:
    write_mrc("gain.mrc", orient(1 / sensor, 1, 0).astype(np.float32), 1.0)
    lines: list[str] = []
    Path("out").mkdir()
    words = "--i movies.star --o out/ --use_own --gainref gain.mrc --gain_auto --dose_per_frame 1"
    context = RunContext(Path("out"), say=lines.append, warn=lines.append)
    MotionCorrection(MotionCorrection.program.parse(words.split()), context).run()
    assert any("Gain reference: gain_rot 3 gain_flip 0" in line for line in lines)
    np.testing.assert_allclose(read_mrc("out/gain.mrc").data, 1 / sensor, rtol=1e-5)
    assert len(read_star("out/corrected_micrographs.star")["micrographs"]) == 3


def test_orientation_command(sensor: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    write_mrc("gain.mrc", orient(1 / sensor, 2, 0).astype(np.float32), 1.0)
    assert main(["gain", "orientation", "--i", "m*.mrc", "--gain", "gain.mrc"]) == 0
    assert "best: --gain_rot 2 --gain_flip 0" in capsys.readouterr().out


def test_estimate_command(sensor: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m1.mrc").write_bytes(b"broken")
    assert main(["gain", "estimate", "--i", "movies.star", "--o", "made.mrc"]) == 0
    written = capsys.readouterr()
    assert "2 movies, 8 frames" in written.out
    assert "left out" in written.err
    assert "few for a gain" in written.err
    factors = read_mrc("made.mrc").data
    error = factors * sensor / np.mean(sensor) - 1
    assert error.std() < 0.2
    assert np.corrcoef(factors.ravel(), 1 / sensor.ravel())[0, 1] > 0.5


def test_command_says_what_is_missing(sensor: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gain", "estimate", "--i", "none*.mrc", "--o", "x.mrc"]) == 1
    assert "no movie matches none*.mrc" in capsys.readouterr().err
    assert main(["gain", "orientation", "--i", "m*.mrc"]) == 1
