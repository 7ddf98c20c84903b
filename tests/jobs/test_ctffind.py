"""CTF estimation as a job: files, columns, repeats, bad micrographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verglas.ctf import Microscope
from verglas.ctf.model import CtfTrial
from verglas.ctf.quality import ctf_phase
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.ctffind.job import CtfEstimation
from verglas.jobs.ctffind.options import CtfFindOptions

DIRECTORY = "CtfFind/job003/"
LIST = "MotionCorr/job002/corrected_micrographs.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (DIRECTORY, "MotionCorr/job002/Movies"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def micrograph(name: str, defocus: float = 14000, seed: int = 0) -> str:
    path = f"MotionCorr/job002/Movies/{name}.mrc"
    rng = np.random.default_rng(seed)
    size, pixel = 768, 1.4
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, pixel), np.fft.fftfreq(size, pixel))
    transfer = np.sin(ctf_phase(CtfTrial(defocus), Microscope(300, 2.7, 0.1), kx, ky))
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + (kx**2 + ky**2) * 300)
    image = np.fft.irfft2(specimen * transfer * 4) + rng.normal(scale=0.2, size=(size, size))
    write_mrc(path, image.astype(np.float32), pixel)
    return path


def write_list(names: list[str]) -> None:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [1.4],
        "rlnMicrographPixelSize": [1.4],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("micrographs", rows)]
    write_star(LIST, tables)


def run(is_continue: bool = False, **options: object) -> list[str]:
    chosen = CtfFindOptions(input_star_mics=LIST, box=256, **options)
    words = CtfEstimation.command_line(chosen, DIRECTORY, is_continue)
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    CtfEstimation(CtfEstimation.program.parse(words), context).run()
    return lines


def result() -> StarTable:
    return read_star(f"{DIRECTORY}micrographs_ctf.star")["micrographs"]


def test_files_and_columns(project: Path) -> None:
    write_list([micrograph("a"), micrograph("b.1", 20000, seed=1)])
    run()
    table = result()
    assert table.labels == (
        "rlnMicrographName",
        "rlnOpticsGroup",
        "rlnCtfImage",
        "rlnDefocusU",
        "rlnDefocusV",
        "rlnCtfAstigmatism",
        "rlnDefocusAngle",
        "rlnCtfFigureOfMerit",
        "rlnCtfMaxResolution",
        "rlnCtfIceRingDensity",
        "verglasCtfReliability",
    )
    assert table.floats("rlnDefocusU") == pytest.approx([14000, 20000], abs=100)
    assert table.strings("rlnCtfImage")[1] == f"{DIRECTORY}Movies/b.1.ctf:mrc"
    for node in CtfEstimation.expected_outputs(CtfFindOptions(), DIRECTORY):
        assert Path(node.name).exists()


def test_a_repeat_fits_only_what_is_new(project: Path) -> None:
    write_list([micrograph("a")])
    run()
    before = Path(f"{DIRECTORY}Movies/a_ctf.star").stat().st_mtime_ns
    write_list(["MotionCorr/job002/Movies/a.mrc", micrograph("b", seed=2)])
    run(is_continue=True)
    assert Path(f"{DIRECTORY}Movies/a_ctf.star").stat().st_mtime_ns == before
    assert len(result()) == 2


def test_a_bad_micrograph_is_set_aside_and_tried_again_when_it_changes(project: Path) -> None:
    good, bad = micrograph("a"), "MotionCorr/job002/Movies/bad.mrc"
    write_mrc(bad, np.full((768, 768), np.nan, np.float32), 1.4)
    missing = "MotionCorr/job002/Movies/gone.mrc"
    write_list([good, bad, missing])
    run()
    reasons = dict(SetAsideList.read(Path(DIRECTORY)).reasons())
    assert "NaN" in reasons[bad]
    assert missing in reasons
    assert result().strings("rlnMicrographName") == [good]
    micrograph("bad", seed=3)
    run(is_continue=True)
    assert result().strings("rlnMicrographName") == [good, bad]


def test_every_kind_of_bad_micrograph_has_its_reason(project: Path) -> None:
    good = micrograph("good")
    content, pixels = Path(good).read_bytes(), read_mrc(good).data
    folder = "MotionCorr/job002/Movies"
    Path(f"{folder}/zero.mrc").write_bytes(b"")
    Path(f"{folder}/cut.mrc").write_bytes(content[: len(content) // 2])
    Path(f"{folder}/junk.mrc").write_bytes(bytes(range(256)) * 16)
    spoilt = pixels.copy()
    spoilt[5, 7] = np.inf
    write_mrc(f"{folder}/inf.mrc", spoilt, 1.4)
    write_mrc(f"{folder}/flat.mrc", np.full((768, 768), 3, np.float32), 1.4)
    write_mrc(f"{folder}/two.mrc", np.stack([pixels, pixels]), 1.4)
    write_mrc(f"{folder}/small.mrc", pixels[:64, :64], 1.4)
    words = {
        "zero": "the file has 0",
        "cut": "truncated",
        "junk": "",
        "inf": "infinite",
        "flat": "all pixels have the same value",
        "two": "holds 2 images; expected one micrograph",
        "small": "64",
    }
    write_list([f"{folder}/{name}.mrc" for name in ("good", *words)])
    run()
    reasons = dict(SetAsideList.read(Path(DIRECTORY)).reasons())
    said = {name: reasons.get(f"{folder}/{name}.mrc", "") for name in words}
    assert {name: text for name, text in said.items() if not text or words[name] not in text} == {}
    assert result().strings("rlnMicrographName") == [good]


def test_noise_is_kept_and_flagged(project: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(768, 768)).astype(np.float32)
    write_mrc("MotionCorr/job002/Movies/noise.mrc", noise, 1.4)
    write_list(["MotionCorr/job002/Movies/noise.mrc"])
    lines = run()
    assert any("doubtful" in line for line in lines)
    assert result().floats("verglasCtfReliability")[0] < 0.3


def test_tilt_goes_into_the_table(project: Path) -> None:
    write_list([micrograph("a")])
    run(do_local=True, local_grid=3)
    assert result().floats("verglasTiltAngle")[0] < 6
    assert len(read_star(f"{DIRECTORY}Movies/a_ctf.star")["ctf_local"]) == 9


def test_an_input_without_micrographs(project: Path) -> None:
    with pytest.raises(NothingToDo, match="does not exist yet"):
        run()
    Path(LIST).touch()
    with pytest.raises(NothingToDo, match="empty"):
        run()
    write_star(LIST, [StarTable.from_columns("movies", {"rlnMicrographMovieName": ["a"]})])
    with pytest.raises(JobFailed, match="expected a table data_micrographs, found data_movies"):
        run()
    assert CtfEstimation.check(CtfFindOptions())


def test_a_device_of_torch_gives_the_same_rows(project: Path) -> None:
    """The device that the job is given reaches spectrum, fit and local fits."""
    write_list([micrograph("a")])
    run()
    expected = result()
    options = CtfFindOptions(input_star_mics=LIST, box=256)
    words = CtfEstimation.command_line(options, DIRECTORY, False)
    context = RunContext(Path(DIRECTORY), say=str, warn=str, devices=("torch-cpu",))
    CtfEstimation(CtfEstimation.program.parse(words), context).run()
    for label in ("rlnDefocusU", "rlnDefocusV"):
        assert result().floats(label) == pytest.approx(expected.floats(label), abs=5)
