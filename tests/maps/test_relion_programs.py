"""relion_project and relion_reconstruct of RELION 3.1.3 on the same data."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, write_star
from verglas.fourier import (
    BackProjector,
    Projector,
    centre_signs,
    forward,
    frequency_grid,
    inverse,
    shift_in_fourier,
)
from verglas.fourier.gridding import real_radius
from verglas.geometry import PointGroup, euler_matrices
from verglas.maps import reconstruct
from verglas.optics import CtfParameters, ctf

pytestmark = pytest.mark.relion
BOX, PIXEL_ANGST, COUNT = 48, 2.5, 300
Make = Callable[..., torch.Tensor]


class Scene:
    """Simulated particles with CTF, shifts and noise, in memory and as files."""

    def __init__(self, folder: Path, volume: torch.Tensor, angles: torch.Tensor) -> None:
        generator = torch.Generator().manual_seed(6)
        self.folder, self.volume, self.matrices = folder, volume, euler_matrices(angles)
        self.origins_xy = (torch.rand(len(angles), 2, generator=generator, dtype=torch.float64) - 0.5) * 6
        defocus = 9000 + 8000 * torch.rand(len(angles), generator=generator, dtype=torch.float64)
        self.ctf = ctf(
            CtfParameters.of(defocus, defocus + 400, 35.0, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1),
            frequency_grid(BOX, PIXEL_ANGST, dtype=torch.float64),
        )
        spectra = Projector.of(volume).slices(self.matrices) * self.ctf
        spectra = shift_in_fourier(spectra, -self.origins_xy.flip(-1))
        clean = inverse(spectra * centre_signs(BOX, dtype=torch.float64))
        noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        self.clean, self.images = clean, (clean + noise * clean.std()).float()
        write_stack(folder / "particles.mrcs", self.images.numpy(), PIXEL_ANGST)
        write_mrc(folder / "map.mrc", volume.float().numpy(), PIXEL_ANGST)
        self._write_star(angles, defocus)

    def _write_star(self, angles: torch.Tensor, defocus: torch.Tensor) -> None:
        count = len(angles)
        optics = StarTable.from_columns(
            "optics",
            {
                "rlnOpticsGroupName": ["opticsGroup1"],
                "rlnOpticsGroup": [1],
                "rlnVoltage": [300.0],
                "rlnSphericalAberration": [2.7],
                "rlnAmplitudeContrast": [0.1],
                "rlnImagePixelSize": [PIXEL_ANGST],
                "rlnImageSize": [BOX],
                "rlnImageDimensionality": [2],
            },
        )
        columns = {
            "rlnImageName": [f"{n + 1:06d}@particles.mrcs" for n in range(count)],
            "rlnMicrographName": ["one.mrc"] * count,
            "rlnAngleRot": angles[:, 0].numpy(),
            "rlnAngleTilt": angles[:, 1].numpy(),
            "rlnAnglePsi": angles[:, 2].numpy(),
            "rlnOriginXAngst": (self.origins_xy[:, 0] * PIXEL_ANGST).numpy(),
            "rlnOriginYAngst": (self.origins_xy[:, 1] * PIXEL_ANGST).numpy(),
            "rlnDefocusU": defocus.numpy(),
            "rlnDefocusV": (defocus + 400).numpy(),
            "rlnDefocusAngle": np.full(count, 35.0),
            "rlnOpticsGroup": [1] * count,
        }
        particles = StarTable.from_columns("particles", columns)
        write_star(self.folder / "particles.star", [optics, particles], precision="full")

    def run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=200)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, blobs: Make, uniform_angles: Make) -> Scene:
    return Scene(tmp_path_factory.mktemp("relion"), blobs(BOX), uniform_angles(COUNT))


def correlation(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float(np.corrcoef(ours.flatten(), theirs.flatten())[0, 1])


def load(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(read_mrc(path).data)).double()


def test_projections(scene: Scene) -> None:
    scene.run(
        "relion_project",
        "--i",
        "map.mrc",
        "--o",
        "proj",
        "--ang",
        "particles.star",
        "--ctf",
        "--angpix",
        str(PIXEL_ANGST),
    )
    theirs = load(scene.folder / "proj.mrcs")
    assert correlation(scene.clean, theirs) > 0.9999
    assert float(scene.clean.std() / theirs.std()) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(("symmetry", "padding"), [("C1", 2), ("D2", 2), ("C3", 1)])
def test_reconstruction(scene: Scene, symmetry: str, padding: int) -> None:
    scene.run(
        "relion_reconstruct",
        "--i",
        "particles.star",
        "--o",
        "found.mrc",
        "--ctf",
        "--sym",
        symmetry,
        "--pad",
        str(padding),
        "--skip_gridding",
        "--angpix",
        str(PIXEL_ANGST),
    )
    theirs = load(scene.folder / "found.mrc")
    spectra = shift_in_fourier(forward(scene.images), scene.origins_xy.flip(-1)) * centre_signs(BOX)
    spectra[:, 0, 0] = (
        0  # relion_reconstruct leaves the mean of the images out of the data, not of the weights
    )
    transfer = scene.ctf.float()
    sums = BackProjector.empty(BOX, padding=padding)
    sums.insert(spectra * transfer, transfer.square(), scene.matrices)
    sums.make_hermitian()
    sums.symmetrise(PointGroup.of(symmetry).operators)
    ours = reconstruct(sums)[0].double()
    inside = real_radius(BOX, 3) < BOX // 2 - 2
    assert correlation(ours[inside], theirs[inside]) > 0.999
    assert float(ours[inside].std() / theirs[inside].std()) == pytest.approx(1, abs=0.01)
