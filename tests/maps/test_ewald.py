"""Images of a curved Ewald sphere, simulated without interpolation, give the map back if the curvature is undone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.cli.main import main
from verglas.formats.mrc import read_mrc
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, write_star
from verglas.fourier import centre_signs, index_grid, inverse
from verglas.geometry import euler_matrices
from verglas.maps import fsc
from verglas.optics import CtfParameters
from verglas.optics.contrast_transfer import ctf_phase
from verglas.optics.wavelength import electron_wavelength_angst

# Slow electrons, so that within this small box the sphere leaves the plane by several voxels.
BOX, PIXEL_ANGST, COUNT, VOLTAGE_KV, CS_MM = 64, 2.0, 400, 0.5, 1e-8
DIAMETER_ANGST = 90.0
WORDS = ["--i", "particles.star", "--ctf", "--angpix", str(PIXEL_ANGST)]


class Blobs:
    """Gaussian blobs whose transform is known everywhere."""

    def __init__(self) -> None:
        random = np.random.default_rng(5)
        places = random.standard_normal((30, 3))
        lengths = np.linalg.norm(places, axis=1, keepdims=True)
        self.places = torch.from_numpy(places / lengths * 36 * random.uniform(0, 1, (30, 1)) ** (1 / 3))
        self.sigma = 1.3

    def transform(self, frequencies_xyz: torch.Tensor) -> torch.Tensor:
        """At (..., 3) in 1/Å, per voxel of the box."""
        decay = torch.exp(-2 * np.pi**2 * self.sigma**2 * frequencies_xyz.square().sum(-1))
        waves = torch.polar(
            torch.ones(1, dtype=torch.float64), -2 * np.pi * (frequencies_xyz @ self.places.T)
        ).sum(-1)
        return decay * waves / BOX

    def volume(self) -> torch.Tensor:
        grid = index_grid(BOX, 3).flip(-1).double() / (BOX * PIXEL_ANGST)
        return inverse(self.transform(grid) * centre_signs(BOX, 3, torch.float64), BOX, 3)


def simulate(blobs: Blobs, folder: Path) -> None:
    """particles.star and its stack."""
    random = np.random.default_rng(1)
    angles = np.degrees(
        np.stack(
            [
                random.uniform(-np.pi, np.pi, COUNT),
                np.arccos(random.uniform(-1, 1, COUNT)),
                random.uniform(-np.pi, np.pi, COUNT),
            ],
            1,
        )
    )
    defocus = random.uniform(150, 300, COUNT)
    parameters = CtfParameters.of(
        defocus, defocus, 0.0, voltage_kv=VOLTAGE_KV, cs_mm=CS_MM, amplitude_contrast=0.1
    )
    yx = index_grid(BOX).double() / (BOX * PIXEL_ANGST)
    gamma = ctf_phase(parameters, yx)
    lift = electron_wavelength_angst(VOLTAGE_KV) / 2 * yx.square().sum(-1)
    images = []
    for matrix, phase in zip(euler_matrices(angles), gamma):
        beams = [torch.cat([yx.flip(-1), sign * lift[..., None]], -1) @ matrix for sign in (-1, 1)]
        p = torch.polar(torch.ones_like(phase), phase) * 1j
        spectrum = (p * blobs.transform(beams[0]) + p.conj() * blobs.transform(beams[1])) / 2
        images.append(inverse(spectrum * centre_signs(BOX, dtype=torch.float64)))
    write_stack(folder / "particles.mrcs", torch.stack(images).float().numpy(), PIXEL_ANGST)
    optics = {
        "rlnOpticsGroupName": ["one"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [VOLTAGE_KV],
        "rlnSphericalAberration": [CS_MM],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL_ANGST],
        "rlnImageSize": [BOX],
        "rlnImageDimensionality": [2],
    }
    particles = {
        "rlnImageName": [f"{n + 1:06d}@particles.mrcs" for n in range(COUNT)],
        "rlnMicrographName": ["a.mrc"] * COUNT,
        "rlnOpticsGroup": [1] * COUNT,
        **dict(zip(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"), angles.T)),
        "rlnOriginXAngst": np.zeros(COUNT),
        "rlnOriginYAngst": np.zeros(COUNT),
        "rlnDefocusU": defocus,
        "rlnDefocusV": defocus,
        "rlnDefocusAngle": np.zeros(COUNT),
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", particles)]
    write_star(folder / "particles.star", tables)


def agreement(path: str, truth: torch.Tensor) -> float:
    """Mean FSC with the truth over the upper half of the band, where the sphere has left the plane."""
    curve = fsc(torch.from_numpy(read_mrc(path).data.copy()).double(), truth)
    return float(curve[BOX // 4 : BOX // 2 - 3].mean())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ewald")
    simulate(Blobs(), folder)
    return folder


@pytest.fixture
def truth(scene: Path, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    monkeypatch.chdir(scene)
    return Blobs().volume()


def test_curvature_is_undone(truth: torch.Tensor) -> None:
    curved = ["--ewald", "--mask_diameter", str(DIAMETER_ANGST)]
    assert main(["reconstruct", *WORDS, "--o", "flat.mrc"]) == 0
    assert main(["reconstruct", *WORDS, *curved, "--o", "curved.mrc"]) == 0
    assert main(["reconstruct", *WORDS, *curved, "--reverse_curvature", "--o", "reverse.mrc"]) == 0
    found = {name: agreement(f"{name}.mrc", truth) for name in ("flat", "curved", "reverse")}
    assert found["curved"] > 0.98
    assert found["reverse"] < found["flat"] < found["curved"] - 0.05


def test_what_cannot_be_done_is_said(truth: torch.Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in [
        (["--ewald"], "--mask_diameter"),
        (["--ewald", "--mask_diameter", "90", "--only_flip_phases"], "--only_flip_phases"),
    ]:
        assert main(["reconstruct", *WORDS, *words]) != 0
        assert text in capsys.readouterr().err


@pytest.mark.relion
@pytest.mark.slow
def test_relion_curves_the_same_way(truth: torch.Tensor) -> None:
    curved = ["--ewald", "--mask_diameter", str(DIAMETER_ANGST)]
    for words, name in ((curved, "curved"), ([*curved, "--reverse_curvature"], "reverse")):
        command = ["relion_reconstruct", *WORDS, *words, "--o", f"{name}.mrc"]
        subprocess.run(command, check=True, capture_output=True)
    assert main(["reconstruct", *WORDS, *curved, "--o", "ours.mrc"]) == 0
    assert agreement("curved.mrc", truth) > agreement("reverse.mrc", truth)
    assert agreement("ours.mrc", truth) > agreement("curved.mrc", truth)
