"""Post-processing as a job: RELION's files, what it refuses, and RELION itself beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from map_scene import HALF1, HALF2, PIXEL, SIZE, write_scene

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.postprocess.job import PostProcessing
from verglas.jobs.postprocess.options import PostProcessOptions
from verglas.jobs.postprocess.tables import Grid, fsc_xml

DIRECTORY = "PostProcess/job002/"


@pytest.fixture(autouse=True)
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    write_scene(tmp_path)
    return tmp_path


def run(**options: object) -> tuple[list[str], list[str]]:
    """What was said and warned of."""
    values = {"fn_in": HALF1, "fn_mask": "mask.mrc", "do_auto_bfac": False, **options}
    made = PostProcessOptions(**values)
    assert not PostProcessing.check(made)
    words = PostProcessing.command_line(made, DIRECTORY, False)
    said: list[str] = []
    warned: list[str] = []
    context = RunContext(Path(DIRECTORY), say=said.append, warn=warned.append)
    PostProcessing(PostProcessing.program.parse(words), context).run()
    for node in PostProcessing.expected_outputs(made, DIRECTORY):
        assert Path(node.name).stat().st_size > 0
    return said, warned


def test_files_of_relion() -> None:
    said, _ = run(do_auto_bfac=True, autob_lowres=8.0)
    star = read_star(f"{DIRECTORY}postprocess.star")
    assert list(star) == ["general", "fsc", "guinier"]
    general = star["general"]
    assert general.string("rlnUnfilteredMapHalf2") == HALF2
    assert general.number("rlnBfactorUsedForSharpening") == pytest.approx(-60, rel=0.25)
    assert general.number("rlnRandomiseFrom") > general.number("rlnFinalResolution")
    table = star["fsc"]
    assert len(table) == SIZE // 2 + 1
    assert table.floats("rlnAngstromResolution")[0] == 999
    assert table.floats("rlnResolution")[2] == pytest.approx(2 / (SIZE * PIXEL), abs=1e-6)
    assert any("Final resolution" in line for line in said)
    for name in ("_fsc.xml", "_fsc.png", "_fsc.eps", "_guinier.png", "_guinier.eps"):
        assert Path(f"{DIRECTORY}postprocess{name}").stat().st_size > 500
    sharp, masked = (read_mrc(f"{DIRECTORY}postprocess{name}.mrc") for name in ("", "_masked"))
    assert sharp.pixel_size_angst == pytest.approx(PIXEL)
    np.testing.assert_allclose(masked.data, sharp.data * read_mrc("mask.mrc").data, atol=1e-6)


def test_sharpening_brings_out_detail_and_half_maps_follow() -> None:
    run(do_adhoc_bfac=True, adhoc_bfac=-60.0, do_half_maps=True)
    sharp = read_mrc(f"{DIRECTORY}postprocess.mrc").data
    halves = [read_mrc(f"{DIRECTORY}postprocess_half{n}.mrc").data for n in (1, 2)]
    np.testing.assert_allclose(sharp, (halves[0] + halves[1]) / 2, atol=1e-5 * np.abs(sharp).max())


def test_the_automatic_mask_is_written() -> None:
    run(do_auto_mask=True, fn_mask="")
    mask = read_mrc(f"{DIRECTORY}postprocess_automask.mrc").data
    assert 0.05 < mask.mean() < 0.6 and mask.max() == 1
    name = read_star(f"{DIRECTORY}postprocess.star")["general"].string("rlnMaskName")
    assert name.endswith("postprocess_automask.mrc")


def test_the_xml_is_the_emdbs() -> None:
    text = fsc_xml(np.array([1.0, 0.5]), Grid(100, 1.0))
    assert text.splitlines()[0].startswith('<fsc title="RELION masked-corrected FSC"')
    assert "    <x>0.001001</x>" in text and "    <y>0.5</y>" in text and text.endswith("</fsc>\n")


def mended(name: str, change: object, pixel: float = PIXEL) -> None:
    write_mrc(name, change(read_mrc(name).data), pixel)  # type: ignore[operator]


def with_nan(data: np.ndarray) -> np.ndarray:
    data = data.copy()
    data[3, 4, 5] = np.nan
    return data


@pytest.mark.parametrize(
    ("name", "change", "pixel", "words"),
    [
        (HALF2, lambda data: data[:40, :40, :40], PIXEL, "a box of 40 px"),
        (HALF2, lambda data: data, 2.0, "pixels of 2 Å"),
        (HALF2, lambda data: read_mrc(HALF1).data, PIXEL, "hold the same values"),
        (HALF2, with_nan, PIXEL, "1 values that are no finite numbers"),
        (HALF1, lambda data: data[:, :, :40], PIXEL, "a cube"),
        ("mask.mrc", lambda data: data[:40, :40, :40], PIXEL, "a box of 40 px"),
        ("mask.mrc", lambda data: data * 3, PIXEL, "0 to 1 is wanted"),
        ("mask.mrc", lambda data: data * 0, PIXEL, "is empty"),
    ],
)
def test_bad_maps_are_refused_by_name(name: str, change: object, pixel: float, words: str) -> None:
    mended(name, change, pixel)
    with pytest.raises(JobFailed, match=words) as caught:
        run()
    assert name in str(caught.value)
    assert not list(Path(DIRECTORY).iterdir())


def test_a_half_map_given_twice_and_a_missing_one() -> None:
    Path(HALF2).unlink()
    with pytest.raises(NothingToDo, match=HALF2):
        run()
    Path(HALF2).symlink_to(HALF1)
    with pytest.raises(JobFailed, match="one file"):
        run()
    with pytest.raises(JobFailed, match="half1 or half2"):
        run(fn_in="map.mrc")


def test_permuted_axes_are_put_right() -> None:
    run()
    wanted = read_mrc(f"{DIRECTORY}postprocess.mrc").data
    for name in (HALF1, HALF2):
        write_mrc(name, read_mrc(name).data.transpose(2, 1, 0), PIXEL)
        raw = bytearray(Path(name).read_bytes())
        raw[64:76] = np.array([3, 2, 1], "<i4").tobytes()
        Path(name).write_bytes(raw)
    run()
    np.testing.assert_allclose(read_mrc(f"{DIRECTORY}postprocess.mrc").data, wanted, atol=1e-7)


def test_wrong_mtfs_and_absurd_b_factors() -> None:
    Path("mtf.star").write_text(
        "data_\n\nloop_\n_rlnResolutionInversePixel #1\n_rlnMtfValue #2\n0 1\n0.5 7\n"
    )
    with pytest.raises(JobFailed, match=r"no MTF.*7"):
        run(fn_mtf="mtf.star")
    Path("mtf.star").write_text("data_\n\nloop_\n_rlnResolution #1\n_rlnMtfValue #2\n0 1\n0.5 0.4\n")
    with pytest.raises(JobFailed, match="rlnResolutionInversePixel"):
        run(fn_mtf="mtf.star")
    with pytest.raises(JobFailed, match="B-factor of -90000"):
        run(do_adhoc_bfac=True, adhoc_bfac=-90000.0)
    assert PostProcessing.check(PostProcessOptions(fn_in=HALF1, fn_mask="m", do_adhoc_bfac=True))
    assert len(PostProcessing.check(PostProcessOptions())) == 2


def test_a_map_against_its_model() -> None:
    atoms = np.stack(np.nonzero(read_mrc("map.mrc").data > 0.05), 1)[::20, ::-1] * PIXEL
    lines = [
        f"ATOM  {n:5d}  C   GLY A{n % 9999:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 30.00           C"
        for n, (x, y, z) in enumerate(atoms)
    ]
    Path("model.pdb").write_text("\n".join([*lines, "END"]) + "\n")
    run(fn_model="model.pdb")
    curve = read_star(f"{DIRECTORY}postprocess.star")["fsc"].floats("verglasFourierShellCorrelationModel")
    assert curve[1:4].min() > 0.8


@pytest.mark.relion
def test_beside_relion() -> None:
    """The same curves, shells, B-factor and map, to the digits of the file."""
    command = ["relion_postprocess", "--i", HALF1, "--mask", "mask.mrc", "--o", "theirs/p"]
    command += ["--angpix", str(PIXEL), "--auto_bfac", "--autob_lowres", "8"]
    Path("theirs").mkdir()
    subprocess.run(command, check=False, capture_output=True, timeout=100)  # it fails at its PDF
    run(do_auto_bfac=True, autob_lowres=8.0)
    ours, theirs = read_star(f"{DIRECTORY}postprocess.star"), read_star("theirs/p.star")
    assert theirs["general"].labels == ours["general"].labels
    for label in ("rlnRandomiseFrom", "rlnFinalResolution", "rlnParticleBoxFractionSolventMask"):
        assert ours["general"].number(label) == pytest.approx(theirs["general"].number(label), abs=2e-6)
    assert ours["fsc"].labels == theirs["fsc"].labels
    for name in (label for label in ours["fsc"].labels if "Correlation" in label):
        np.testing.assert_allclose(ours["fsc"].floats(name), theirs["fsc"].floats(name), atol=2e-5)
    assert ours["guinier"].labels == theirs["guinier"].labels
    for label in ("rlnResolutionSquared", "rlnLogAmplitudesOriginal"):
        np.testing.assert_allclose(ours["guinier"].floats(label), theirs["guinier"].floats(label), atol=2e-5)
    b_factors = [star["general"].number("rlnBfactorUsedForSharpening") for star in (ours, theirs)]
    assert b_factors[0] == pytest.approx(b_factors[1], abs=0.01)
    maps = [read_mrc(name).data.ravel() for name in (f"{DIRECTORY}postprocess.mrc", "theirs/p.mrc")]
    assert np.corrcoef(maps)[0, 1] > 0.999999
