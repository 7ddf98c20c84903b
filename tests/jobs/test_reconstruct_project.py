"""`verglas reconstruct` and `verglas project`: there and back, and RELION's programs beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from conftest import make_blobs, make_uniform_angles
from verglas.cli.main import main
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier.gridding import real_radius

BOX, PIXEL, COUNT = 32, 3.0, 400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_mrc("map.mrc", make_blobs(BOX).float().numpy(), PIXEL)
    angles = make_uniform_angles(COUNT).numpy()
    rng = np.random.default_rng(2)
    optics = {
        "rlnOpticsGroupName": ["one"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL],
        "rlnImageSize": [BOX],
        "rlnImageDimensionality": [2],
        "rlnBeamTiltX": [0.5],
        "rlnBeamTiltY": [0.2],
        "rlnMagMat00": [1.01],
        "rlnMagMat01": [0.0],
        "rlnMagMat10": [0.005],
        "rlnMagMat11": [0.99],
    }
    particles = {
        "rlnImageName": [f"{n + 1:06d}@images.mrcs" for n in range(COUNT)],
        "rlnMicrographName": ["a.mrc"] * COUNT,
        "rlnOpticsGroup": [1] * COUNT,
        "rlnAngleRot": angles[:, 0],
        "rlnAngleTilt": angles[:, 1],
        "rlnAnglePsi": angles[:, 2],
        "rlnOriginXAngst": rng.uniform(-6, 6, COUNT),
        "rlnOriginYAngst": rng.uniform(-6, 6, COUNT),
        "rlnDefocusU": rng.uniform(9000, 18000, COUNT),
        "rlnDefocusV": rng.uniform(9000, 18000, COUNT),
        "rlnDefocusAngle": rng.uniform(0, 180, COUNT),
        "rlnRandomSubset": np.arange(COUNT) % 2 + 1,
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", particles)]
    write_star("poses.star", tables)
    assert main(["project", "--i", "map.mrc", "--o", "images", "--ang", "poses.star", "--ctf"]) == 0
    return tmp_path


def volume(name: str) -> np.ndarray:
    return read_mrc(name).data


def agreement(one: str, other: str) -> float:
    inside = (real_radius(BOX, 3) < BOX / 2 - 3).numpy()
    return float(np.corrcoef(volume(one)[inside], volume(other)[inside])[0, 1])


def test_projections_make_the_map_again(folder: Path) -> None:
    assert main(["reconstruct", "--i", "images.star", "--o", "out/back.mrc", "--ctf"]) == 0
    assert agreement("map.mrc", "out/back.mrc") > 0.98
    words = ["reconstruct", "--i", "images.star", "--o", "half.mrc", "--ctf", "--subset", "2"]
    assert main([*words, "--maxres", "12"]) == 0
    assert 0.5 < agreement("map.mrc", "half.mrc") < agreement("map.mrc", "out/back.mrc")
    assert main([*words, "--class", "3"]) == 1


def test_a_coarser_map(folder: Path) -> None:
    words = ["reconstruct", "--i", "images.star", "--o", "coarse.mrc", "--ctf", "--angpix", "6"]
    assert main(words) == 0
    image = read_mrc("coarse.mrc")
    assert image.data.shape == (16, 16, 16) and image.pixel_size_angst == pytest.approx(6)


def test_a_single_and_random_projections(folder: Path) -> None:
    assert main(["project", "--i", "map.mrc", "--o", "one", "--xoff", "2"]) == 0
    along_z = volume("map.mrc").sum(axis=0)
    np.testing.assert_allclose(np.roll(volume("one.mrc"), 2, 1)[:, 4:], along_z[:, 4:], atol=0.5)
    words = ["project", "--i", "map.mrc", "--o", "many", "--nr_uniform", "7"]
    assert main([*words, "--add_noise", "--white_noise", "0.1"]) == 0
    assert volume("many.mrcs").shape == (7, BOX, BOX)
    assert len(read_star("many.star")["particles"]) == 7
    assert main([*words, "--add_noise"]) == 1
    assert main(["project", "--i", "map.mrc", "--ctf"]) == 1


def test_images_less_their_projections_are_nothing(folder: Path) -> None:
    words = ["project", "--i", "map.mrc", "--o", "left", "--ang", "images.star", "--ctf"]
    assert main([*words, "--subtract_exp"]) == 0
    assert np.abs(volume("left.mrcs")).max() < 1e-4 * np.abs(volume("images.mrcs")).max()
    assert read_star("left.star")["particles"].strings("rlnImageOriginalName")[0] == "000001@images.mrcs"


@pytest.mark.relion
def test_beside_relion(folder: Path) -> None:
    def relion(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=200)

    star = read_star("poses.star")
    aberrations = [name for name in star["optics"].labels if "BeamTilt" in name or "MagMat" in name]
    plain = star["optics"].without(aberrations)  # relion_project leaves out a part of them
    write_star("plain.star", [plain, star["particles"]])
    relion("relion_project", "--i", "map.mrc", "--o", "theirs", "--ang", "plain.star", "--ctf")
    assert main(["project", "--i", "map.mrc", "--o", "plain", "--ang", "plain.star", "--ctf"]) == 0
    pair = [torch.from_numpy(volume(name).ravel()) for name in ("theirs.mrcs", "plain.mrcs")]
    assert float(torch.corrcoef(torch.stack(pair))[0, 1]) > 0.9999
    common = ["--i", "images.star", "--ctf", "--sym", "C2", "--o"]
    relion("relion_reconstruct", *common, "theirs.mrc", "--skip_gridding")
    assert main(["reconstruct", *common, "ours.mrc"]) == 0
    assert agreement("theirs.mrc", "ours.mrc") > 0.999
