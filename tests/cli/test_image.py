"""`verglas image`: operations against mathematics and against relion_image_handler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.cli.image import main
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import low_pass
from verglas.geometry import PointGroup
from verglas.maps.box_filters import RadialFilter, resampled, resampled_shape, weighted
from verglas.maps.box_geometry import centre_of_mass_px, inverted_hand, symmetrised, windowed
from verglas.maps.colours import SCALES, coloured

N = 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    z, y, x = np.indices((N, N, N)) - N // 2
    blob = np.exp(-((z - 3) ** 2 + 2 * (y - 1) ** 2 + (x + 4) ** 2) / 40)
    a = blob + 0.1 * rng.normal(size=blob.shape)
    write_mrc("a.mrc", a.astype(np.float32), 2.0)
    write_mrc("b.mrc", (a + 0.2 * rng.normal(size=blob.shape)).astype(np.float32), 2.0)
    stack = rng.normal(size=(5, 24, 24)).astype(np.float32)
    write_mrc("s.mrcs", stack, 1.5)
    write_mrc("im.mrc", stack[0], 1.5)
    write_mrc("wide.mrc", rng.normal(size=(20, 28)).astype(np.float32), 1.5)
    return tmp_path


def image(*words: str) -> int:
    return main(["image", *words])


def data(path: str = "out.mrc") -> np.ndarray:
    return read_mrc(path).data


def done(*words: str, source: str = "a.mrc", target: str = "out.mrc") -> np.ndarray:
    assert image("--i", source, "--o", target, *words) == 0
    return data(target)


def test_arithmetic_does_all_that_is_asked() -> None:
    a, b = data("a.mrc"), data("b.mrc")
    flags = ["--subtract", "b.mrc", "--multiply_constant", "3", "--add_constant", "2"]
    got = done(*flags, "--threshold_above", "2.5")
    np.testing.assert_allclose(got, np.minimum((a - b) * 3 + 2, 2.5), atol=1e-6)
    assert np.isfinite(done("--divide", "b.mrc")).all()
    scaled = done("--subtract", "b.mrc", "--optimise_scale_subtract")
    assert abs(float((scaled * b).sum())) < 1e-2  # least squares: what is left knows nothing of b


def test_values_that_are_no_numbers() -> None:
    a = data("a.mrc").copy()
    a[0, 0, :2] = np.nan, np.inf
    write_mrc("nan.mrc", a, 2.0)
    got = done("--remove_nan", "--replace_nan", "7", source="nan.mrc")
    assert got[0, 0, :2].tolist() == [7, 7]
    np.testing.assert_array_equal(got[1:], a[1:])


def test_filters_on_any_shape() -> None:
    cube = torch.from_numpy(data("a.mrc")).double()
    weights = RadialFilter(lowpass_angst=12.0).weights((N, N, N), 2.0)
    torch.testing.assert_close(weighted(cube, weights), low_pass(cube, 2.0, 12.0))
    y, x = np.indices((20, 28))
    wave = torch.from_numpy(np.cos(2 * np.pi * (3 * x / 28)) + np.cos(2 * np.pi * 8 * y / 20))
    kept = weighted(wave, RadialFilter(lowpass_angst=6.0).weights((20, 28), 1.0))
    expected = torch.from_numpy(np.cos(2 * np.pi * 3 * x / 28))  # 9.3 Å stays, 2.5 Å goes
    torch.testing.assert_close(kept, expected, atol=1e-6, rtol=0)
    low, high = RadialFilter(lowpass_angst=8.0), RadialFilter(highpass_angst=8.0)
    total = low.weights((20, 28), 1.5) + high.weights((20, 28), 1.5)
    torch.testing.assert_close(total, torch.ones_like(total))


@settings(deadline=None, max_examples=30)
@given(st.tuples(*[st.integers(3, 12).map(lambda n: 2 * n)] * 2), st.integers(0, 100))
def test_resampling_up_and_down_gives_the_image_back(shape: tuple[int, int], seed: int) -> None:
    coarse = torch.from_numpy(np.random.default_rng(seed).normal(size=shape))
    smooth = resampled(resampled(coarse, tuple(n - 2 for n in shape)), shape)
    finer = resampled(smooth, tuple(2 * n for n in shape))
    assert float(finer.mean() - smooth.mean()) == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(resampled(finer, shape), smooth)


def test_rescaling_writes_the_pixel_size_it_made() -> None:
    done("--rescale_angpix", "3.1")
    assert read_mrc("out.mrc").pixel_size_angst == pytest.approx(3.2)
    assert data().shape == (20, 20, 20)
    done("--rescale_angpix", "3.1", "--force_header_angpix", "3.1")
    assert read_mrc("out.mrc").pixel_size_angst == pytest.approx(3.1)
    assert resampled_shape((20, 28), 1.5, 2.0) == (14, 20)
    done("--lowpass", "12", "--angpix", "4")
    assert read_mrc("out.mrc").pixel_size_angst == 2.0


def test_mirrors_windows_and_centres() -> None:
    a = data("a.mrc")
    np.testing.assert_array_equal(done("--flipX"), a[..., ::-1])
    np.testing.assert_array_equal(done("--flipZ"), a[::-1])
    assert inverted_hand(a)[0, 0, N // 2] == a[0, 0, N // 2]
    np.testing.assert_array_equal(windowed(windowed(a, 41), N), a)
    np.testing.assert_array_equal(windowed(a, 20), a[6:26, 6:26, 6:26])
    point = np.zeros((9, 12), np.float32)
    point[6, 3] = 5
    assert centre_of_mass_px(point) == (-3.0, 2.0)
    write_mrc("point.mrc", point, 1.0)
    moved = done("--shift_com", source="point.mrc")
    assert moved[4, 6] == 5 and moved.sum() == 5


@pytest.mark.parametrize("group", ["C3", "D2", "T", "O"])
def test_symmetry_is_a_projection(group: str) -> None:
    z, y, x = np.indices((24, 24, 24)) - 12
    inside = z**2 + y**2 + x**2 < 81
    smooth = np.exp(-((z - 3) ** 2 + (y - 2) ** 2 + (x + 3) ** 2) / 30) * inside
    operators = PointGroup.of(group).operators.numpy()
    once = symmetrised(smooth, operators)
    assert np.abs(symmetrised(once, operators) - once)[inside].max() < 0.06 * once.max()
    assert once.sum() == pytest.approx(smooth.sum(), rel=0.02)


def test_random_phases_keep_amplitudes_and_low_frequencies() -> None:
    a, got = data("a.mrc"), done("--phase_randomise", "15")
    before, after = np.fft.rfftn(a), np.fft.rfftn(got)
    np.testing.assert_allclose(abs(before), abs(after), atol=2e-3 * abs(before).max())
    np.testing.assert_allclose(before[:3, :3, :3], after[:3, :3, :3], rtol=1e-3, atol=0.1)
    assert np.corrcoef(before[12, 12].real, after[12, 12].real)[0, 1] < 0.9


def test_stacks_keep_their_images_apart_and_frames_are_added() -> None:
    stack = data("s.mrcs")
    got = done("--flipXY", source="s.mrcs", target="t.mrcs")
    np.testing.assert_array_equal(got, np.swapaxes(stack, 1, 2))
    pairs = done("--avg_bin", "2", source="s.mrcs", target="f.mrcs")
    np.testing.assert_allclose(pairs, [stack[:2].sum(0), stack[2:4].sum(0)], rtol=1e-5, atol=1e-6)
    mean = done("--average", source="s.mrcs")
    np.testing.assert_allclose(mean, stack.mean(0), rtol=1e-5, atol=1e-6)


def test_a_list_gets_new_files_new_names_and_new_sizes() -> None:
    names = ["000004@s.mrcs", "000002@s.mrcs", "000004@s.mrcs", "im.mrc"]
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["o"],
        "rlnImagePixelSize": [1.5],
        "rlnImageSize": [24],
    }
    columns = {"rlnImageName": names, "rlnOpticsGroup": [1] * 4}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)]
    write_star("p.star", tables)
    assert image("--i", "p.star", "--o", "small", "--rescale_angpix", "3") == 0
    made = read_star("p_small.star")
    assert made["particles"].strings("rlnImageName") == [
        "000001@s_small.mrcs",
        "000002@s_small.mrcs",
        "000001@s_small.mrcs",
        "im_small.mrc",
    ]
    assert made["optics"].floats("rlnImagePixelSize")[0] == 3
    assert made["optics"].ints("rlnImageSize")[0] == 12
    whole = done("--rescale_angpix", "3", source="s.mrcs", target="all.mrcs")
    np.testing.assert_array_equal(data("s_small.mrcs"), whole[[3, 1]])
    assert read_star("p.star")["particles"].strings("rlnImageName") == names


def test_tables_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert image("--i", "a.mrc", "--fsc", "a.mrc") == 0
    Path("fsc.star").write_text(capsys.readouterr().out)
    table = read_star("fsc.star")["fsc"]
    np.testing.assert_allclose(table.floats("rlnFourierShellCorrelation"), 1)
    assert table.floats("rlnAngstromResolution")[16] == 4
    assert image("--i", "a.mrc", "--power") == 0
    Path("power.star").write_text(capsys.readouterr().out)
    power = read_star("power.star")["power"].floats("rlnReferenceSpectralPower")
    assert power[0] == pytest.approx(float(data("a.mrc").mean()) ** 2, rel=1e-4)
    assert image("--i", "s.mrcs", "--stats") == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize("scale", SCALES)
def test_pictures(scale: str) -> None:
    flags = ["--black", "-1", "--white", "2", f"--colour_{scale}"]
    assert image("--i", "im.mrc", "--o", "im.png", *flags) == 0
    assert Path("im.png").read_bytes().startswith(b"\x89PNG")
    ends = coloured(np.array([[0, 255]], np.uint8), scale)
    assert ends[0, 0].tolist() == list(SCALES[scale][0][1])
    assert ends[0, 1].tolist() == list(SCALES[scale][-1][1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--i", "gone.mrc", "--o", "x.mrc"], "gone.mrc"),
        (["--i", "a.mrc", "--flipX"], "--o"),
        (["--i", "im.mrc", "--o", "x.mrc", "--flipZ"], "no Z axis"),
        (["--i", "a.mrc", "--o", "x.mrc", "--add", "im.mrc"], "differ in shape"),
        (["--i", "wide.mrc", "--o", "x.mrc", "--phase_randomise", "9"], "square or a cube"),
        (["--i", "im.mrc", "--o", "x.mrc", "--sym", "C4"], "needs a cube"),
        (["--i", "s.mrcs", "--o", "x.mrcs", "--avg_bin", "9"], "5 frames"),
        (["--i", "a.mrc", "--o", "x.mrc", "--directional", "Q"], "X, Y or Z"),
    ],
)
def test_errors_leave_nothing_behind(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert image(*words) == 1
    assert said in capsys.readouterr().err
    assert not list(Path().glob("x.*"))


RELION = {
    "lowpass": ["--lowpass", "12"],
    "sharpen": ["--highpass", "30", "--bfactor", "-80"],
    "directional": ["--lowpass", "12", "--directional", "Y"],
    "blobs": ["--LoG", "20"],
    "rescale": ["--rescale_angpix", "3.1"],
    "enlarge": ["--rescale_angpix", "1.3", "--new_box", "40"],
    "box_and_shift": ["--new_box", "40", "--shift_x", "2.5"],
    "flip": ["--flipY"],
    "hand": ["--invert_hand", "--shift_y", "1.5"],
    "com": ["--shift_com"],
    "d3": ["--sym", "D3"],
    "scaled": ["--subtract", "b.mrc", "--optimise_scale_subtract"],
    "power": ["--adjust_power", "b.mrc"],
}


@pytest.mark.relion
@pytest.mark.parametrize("name", RELION)
def test_same_pixels_as_relion(name: str) -> None:
    words = ["--i", "a.mrc", "--angpix", "2", *RELION[name]]
    run = ["relion_image_handler", "--o", "relion.mrc", *words]
    subprocess.run(run, check=True, capture_output=True)
    assert image("--o", "ours.mrc", *words) == 0
    theirs, ours = read_mrc("relion.mrc"), read_mrc("ours.mrc")
    np.testing.assert_allclose(ours.data, theirs.data, atol=2e-7)
    assert ours.pixel_size_angst == theirs.pixel_size_angst


@pytest.mark.relion
@pytest.mark.parametrize(
    "words",
    [
        ["--i", "s.mrcs", "--stats"],
        ["--i", "s.mrcs", "--com"],
        ["--i", "a.mrc", "--fsc", "b.mrc", "--angpix", "2"],
    ],
)
def test_same_text_as_relion(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    theirs = subprocess.run(["relion_image_handler", *words], capture_output=True, text=True)
    assert image(*words) == 0
    assert capsys.readouterr().out.split() == theirs.stdout.split()
