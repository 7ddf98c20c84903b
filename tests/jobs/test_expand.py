"""Symmetry expansion and selection by axis: equivalent poses show the same, and RELION's list is ours."""

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
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import Projector, inverse
from verglas.geometry import PointGroup, euler_matrices
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.select.rows import select_by_axis
from verglas.maps.box_geometry import symmetrised
from verglas.maps.prediction import ImageGeometry, Poses, Predictor
from verglas.particles.symmetry_expansion import expanded_angles, expanded_helix

BOX, COUNT = 24, 6
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")


def write_poses() -> None:
    angles = make_uniform_angles(COUNT).numpy()
    columns = {"rlnImageName": [f"{n + 1:06d}@p.mrcs" for n in range(COUNT)], "rlnOpticsGroup": [1] * COUNT}
    columns |= {label: angles[:, n] for n, label in enumerate(ANGLES)}
    columns |= {"rlnOriginXAngst": np.linspace(-3, 3, COUNT), "rlnOriginYAngst": np.linspace(2, -2, COUNT)}
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["o"],
        "rlnImagePixelSize": [1.0],
        "rlnImageSize": [BOX],
        "rlnImageDimensionality": [2],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)]
    write_star("p.star", tables)


def images(volume: torch.Tensor, angles: np.ndarray, origins_px: np.ndarray) -> np.ndarray:
    predictor = Predictor(Projector.of(volume), BOX, ImageGeometry(BOX, 1.0))
    poses = Poses(torch.from_numpy(angles), torch.from_numpy(origins_px))
    return inverse(predictor.transforms(poses), BOX).numpy()


def test_mates_show_the_same() -> None:
    group = PointGroup.of("D2")
    volume = torch.from_numpy(symmetrised(make_blobs(BOX).numpy(), group.operators.numpy()))
    angles = make_uniform_angles(COUNT).numpy()
    found = expanded_angles(angles, group)
    assert found.shape == (COUNT, 4, 3)
    shown = images(volume, found.reshape(-1, 3), np.zeros((4 * COUNT, 2))).reshape(COUNT, 4, -1)
    np.testing.assert_allclose(shown, shown[:, :1].repeat(4, 1), atol=2e-2 * np.abs(shown).max())
    with pytest.raises(ValueError, match="mirrors"):
        expanded_angles(angles, PointGroup.of("C2v"))


def test_units_of_a_helix_show_the_same() -> None:
    """A long helix of Gaussian balls: ρ(R v + rise z) = ρ(v)."""
    twist, rise = 50.0, 2.0
    axis = torch.arange(BOX, dtype=torch.float64) - BOX // 2
    volume = torch.zeros(BOX, BOX, BOX, dtype=torch.float64)
    for n in range(-8, 9):
        centre = [5 * np.cos(np.radians(n * twist)), 5 * np.sin(np.radians(n * twist)), n * rise]
        x, y, z = (torch.exp(-((axis - c) ** 2) / 3) for c in centre)
        volume += torch.einsum("z,y,x->zyx", z, y, x)
    angles = np.array([[10.0, 90.0, 0.0], [70.0, 80.0, 30.0]])
    found, origins = expanded_helix(angles, np.zeros((2, 2)), twist, rise, 3)
    shown = images(volume, found.reshape(-1, 3), origins.reshape(-1, 2)).reshape(2, 3, BOX, BOX)
    middle = slice(8, 16)
    for one in shown:
        for other in one:
            pair = one[1][middle, middle].ravel(), other[middle, middle].ravel()
            assert np.corrcoef(*pair)[0, 1] > 0.995


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_poses()
    assert main(["expand", "--i", "p.star", "--o", "out/e.star", "--sym", "C3"]) == 0
    star = read_star("out/e.star")
    assert len(star["particles"]) == 3 * COUNT and "optics" in star
    words = ["expand", "--i", "p.star", "--o", "h.star", "--helix"]
    assert main([*words, "--rise", "4", "--twist", "20", "--asu", "5"]) == 0
    assert len(read_star("h.star")["particles"]) == 5 * COUNT
    assert main(words) == 1


def test_particles_by_their_angle_to_an_axis() -> None:
    tilts = {"rlnAngleRot": [0.0, 0.0, 0.0, 0.0], "rlnAngleTilt": [5.0, 60.0, 90.0, 175.0]}
    table = StarTable.from_columns("particles", tilts)
    assert select_by_axis(table, "0,0,2", 0, 30).floats("rlnAngleTilt").tolist() == [5, 175]
    assert select_by_axis(table, "0,0,1", 80, 90).floats("rlnAngleTilt").tolist() == [90]
    assert select_by_axis(table, "1,0,0", 0, 10).floats("rlnAngleTilt").tolist() == [90]
    with pytest.raises(JobFailed, match="0,0,1"):
        select_by_axis(table, "z", 0, 30)


@pytest.mark.relion
def test_beside_relion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_poses()
    command = ["relion_particle_symmetry_expand", "--i", "p.star", "--o", "theirs.star", "--sym", "D2"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert main(["expand", "--i", "p.star", "--o", "ours.star", "--sym", "D2"]) == 0
    found = []
    for name in ("ours.star", "theirs.star"):
        table = read_star(name)["particles"]
        angles = torch.tensor(np.stack([table.floats(label) for label in ANGLES], 1))
        matrices = euler_matrices(angles).numpy().reshape(-1, 9).round(4) + 0.0
        found.append(sorted(zip(table.strings("rlnImageName"), matrices.tolist())))
    assert len(found[0]) == len(found[1])
    for ours, theirs in zip(*found):
        assert ours[0] == theirs[0]
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-3)
