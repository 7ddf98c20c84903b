"""Our files beside those of the installed relion_run_motioncorr for the same movie."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.movies_write import write_movie_mrc
from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.motioncorr.job import MotionCorrection

pytestmark = pytest.mark.relion
FLAGS = [
    "--i",
    "movies.star",
    "--use_own",
    "--dose_weighting",
    "--save_noDW",
    "--dose_per_frame",
    "1.5",
    "--ps_size",
    "256",
    "--grouping_for_ps",
    "2",
    "--bfactor",
    "150",
    "--patch_x",
    "3",
    "--patch_y",
    "3",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the results of RELION in `theirs` and of ours in `ours`."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    shape, n_frames = (600, 640), 8
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    transform = np.fft.rfft2(rng.normal(size=shape)) * np.exp(-((np.hypot(fy, fx) / 0.1) ** 2))
    transform *= 0.3 / np.fft.irfft2(transform, shape).std()
    frames = []
    for m in range(n_frames):
        moved = np.fft.irfft2(transform * np.exp(-2j * np.pi * m * (1.3 * fy - 0.6 * fx)), shape)
        frames.append(rng.poisson(np.maximum(3 * (1 + moved), 0)).astype(np.int16))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_movie_mrc("movie.mrc", frames, 1.1, dtype=np.int16)
        optics = {
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnOpticsGroup": [1],
            "rlnMicrographOriginalPixelSize": [1.1],
            "rlnVoltage": [200.0],
            "rlnSphericalAberration": [2.7],
            "rlnAmplitudeContrast": [0.1],
        }
        movies = {"rlnMicrographMovieName": ["movie.mrc"], "rlnOpticsGroup": [1]}
        tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", movies)]
        write_star("movies.star", tables)
        command = ["relion_run_motioncorr", *FLAGS, "--o", "theirs/", "--j", "1"]
        subprocess.run(command, check=True, capture_output=True)
        Path("ours").mkdir()
        context = RunContext(Path("ours"), say=lambda _: None, warn=lambda _: None)
        words = [*FLAGS, "--o", "ours/"]
        MotionCorrection(MotionCorrection.program.parse(words), context).run()
    return folder


def test_lists_have_the_same_columns(both: Path) -> None:
    ours, theirs = (read_star(both / who / "corrected_micrographs.star") for who in ("ours", "theirs"))
    assert list(ours) == list(theirs)
    for block in ours:
        assert ours[block].labels == theirs[block].labels
    assert ours["optics"].floats("rlnMicrographPixelSize") == pytest.approx(1.1)


def test_metadata_has_the_same_tables_and_values(both: Path) -> None:
    ours, theirs = (read_star(both / who / "movie.star") for who in ("ours", "theirs"))
    same = [label for label in theirs["general"].labels if label != "rlnMotionModelVersion"]
    assert ours["general"].labels == theirs["general"].labels
    for label in same:
        assert ours["general"].string(label) == theirs["general"].string(label)
    for label in ("rlnMicrographShiftX", "rlnMicrographShiftY"):
        difference = ours["global_shift"].floats(label) - theirs["global_shift"].floats(label)
        assert np.abs(difference - difference.mean()).max() < 0.3


def test_sums_have_the_same_scale_and_content(both: Path) -> None:
    for name in ("movie.mrc", "movie_noDW.mrc"):
        ours, theirs = (read_mrc(both / who / name) for who in ("ours", "theirs"))
        assert ours.data.mean() == pytest.approx(np.squeeze(theirs.data).mean(), rel=2e-3)
        inner = (slice(20, -20), slice(20, -20))
        a, b = ours.data[inner].ravel(), np.squeeze(theirs.data)[inner].ravel()
        assert np.corrcoef(a, b)[0, 1] > 0.75
        assert ours.pixel_size_angst == pytest.approx(theirs.pixel_size_angst, rel=1e-4)


def test_power_spectra_agree(both: Path) -> None:
    ours, theirs = (read_mrc(both / who / "movie_PS.mrc") for who in ("ours", "theirs"))
    a, b = ours.data, np.squeeze(theirs.data)
    assert a.shape == b.shape == (256, 256)
    assert ours.pixel_size_angst == pytest.approx(theirs.pixel_size_angst, rel=1e-3)
    assert np.median(a) == pytest.approx(np.median(b), rel=0.05)
    radius = np.hypot(*(np.indices(a.shape) - 128)).astype(int)
    rings = [np.bincount(radius.ravel(), image.ravel())[5:120] for image in (a, b)]
    assert np.corrcoef(*rings)[0, 1] > 0.98
