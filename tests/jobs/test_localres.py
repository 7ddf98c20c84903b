"""Local resolution as a job: its files, what it refuses, and RELION beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from map_scene import HALF1, PIXEL, write_scene

from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.localres.job import LocalResolution
from verglas.jobs.localres.options import LocalResOptions

DIRECTORY = "LocalRes/job004/"


@pytest.fixture(autouse=True)
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    write_scene(tmp_path, noise=4.0)
    return tmp_path


def run(**options: object) -> list[str]:
    made = LocalResOptions(fn_in=HALF1, fn_mask="mask.mrc", **options)
    assert not LocalResolution.check(made)
    words = LocalResolution.command_line(made, DIRECTORY, False)
    said: list[str] = []
    context = RunContext(Path(DIRECTORY), say=said.append, warn=said.append)
    LocalResolution(LocalResolution.program.parse(words), context).run()
    for node in LocalResolution.expected_outputs(made, DIRECTORY):
        assert Path(node.name).stat().st_size > 0
    return said


def test_files_of_relion() -> None:
    said = run()
    assert any("Memory needed" in line for line in said)
    assert any("Local resolution: median" in line for line in said)
    star = read_star(f"{DIRECTORY}relion_locres_fscs.star")
    name = next(iter(star))
    assert name.startswith("fsc_") and len(name) == len("fsc_-0046_-0028_-0010")
    resolution = read_mrc(f"{DIRECTORY}relion_locres.mrc").data
    inside = read_mrc("mask.mrc").data > 0.5
    assert 2 * PIXEL < np.median(resolution[inside]) < 10
    assert "color sample" in Path(f"{DIRECTORY}relion_locres.cxc").read_text()


def test_resmap_is_refused() -> None:
    assert LocalResolution.check(LocalResOptions(fn_in=HALF1, do_resmap_locres=True))
    assert LocalResolution.check(LocalResOptions())


@pytest.mark.relion
def test_beside_relion(scene: Path) -> None:
    """Medians within 0.1 Å; the filtered maps are alike (RELION's is the sum of the halves).

    With the noise of the other tests the random phases decide where curves fall: there maps of two seeds of ours
    correlate no better (0.95 to 0.98) than one of ours with RELION's.
    """
    write_scene(scene, noise=1.0)
    Path("theirs").mkdir()
    command = ["relion_postprocess", "--locres", "--i", HALF1, "--o", "theirs/relion"]
    command += ["--angpix", str(PIXEL), "--adhoc_bfac", "-100", "--locres_sampling", "12"]
    subprocess.run(command, check=False, capture_output=True, timeout=200)
    run(other_args="--locres_sampling 12")
    maps = [read_mrc(f"{folder}/relion_locres.mrc").data for folder in (DIRECTORY, "theirs")]
    np.testing.assert_array_equal(maps[0] > 0, maps[1] > 0)
    inside = read_mrc("mask.mrc").data > 0.5
    assert np.median(maps[0][inside]) == pytest.approx(np.median(maps[1][inside]), abs=0.1)
    filtered = [read_mrc(f"{d}/relion_locres_filtered.mrc").data[inside] for d in (DIRECTORY, "theirs")]
    assert np.corrcoef(filtered)[0, 1] > 0.99
    assert filtered[1].std() / filtered[0].std() == pytest.approx(2, abs=0.05)
    listed = Path("theirs/relion_locres_fscs.star").read_text()  # with words of a debugging print in it
    star = read_star(f"{DIRECTORY}relion_locres_fscs.star")
    assert all(f"data_{name}\n" in listed for name in star)
    assert all(f"_{label} #" in listed for label in next(iter(star.values())).labels)
