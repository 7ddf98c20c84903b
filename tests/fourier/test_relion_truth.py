"""Images that RELION projected: Euler, shift and CTF signs, greyscale and Fourier mask."""

from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarTable, read_star
from verglas.fourier import (
    Projector,
    centre_signs,
    crop_spectrum,
    forward,
    frequency_grid,
    inverse,
    shift_in_fourier,
)
from verglas.geometry import euler_matrices
from verglas.optics import CtfParameters, ctf

pytestmark = pytest.mark.real


@pytest.fixture
def truth(real_data: Path) -> Path:
    return real_data / "relion_projection_truth"


def load(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(read_mrc(path).data)).double()


def matrices(table: StarTable) -> torch.Tensor:
    names = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
    return euler_matrices(np.stack([table.floats(name) for name in names], axis=1))


def correlations(ours: torch.Tensor, theirs: torch.Tensor) -> list[float]:
    pairs = zip(ours.flatten(1), theirs.flatten(1), strict=True)
    return [float(np.corrcoef(a, b)[0, 1]) for a, b in pairs]


@pytest.mark.parametrize(
    ("padding", "name"),
    [(1, "relion_proj_batch"), (2, "relion_proj_batch_pfac2"), (3, "relion_proj_batch_pfac3")],
)
def test_point_mass_with_ctf_and_shifts(truth: Path, padding: float, name: str) -> None:
    folder = truth / "pointmass"
    theirs = load(folder / f"{name}.mrcs")
    table = read_star(folder / "pyem.star")["particles"]
    defocus = (table.floats(f"rlnDefocus{word}") for word in ("U", "V", "Angle"))
    parameters = CtfParameters.of(*defocus, voltage_kv=200, cs_mm=1.4, amplitude_contrast=0.1)
    origins = np.stack([table.floats("rlnOriginYAngst"), table.floats("rlnOriginXAngst")], 1) / 3.54
    spectra = Projector.of(load(folder / "pointmass.mrc"), padding=padding).slices(matrices(table))
    spectra = spectra * ctf(parameters, frequency_grid(64, 3.54, dtype=torch.float64))
    spectra = shift_in_fourier(spectra, torch.from_numpy(-origins))
    ours = inverse(spectra * centre_signs(64, dtype=torch.float64))
    assert len(theirs) == 24
    assert min(correlations(ours, theirs)) > 0.9998
    assert float(ours.std() / theirs.std()) == pytest.approx(1, abs=2e-4)


def ribosome(truth: Path, size: int) -> torch.Tensor:
    volume = load(truth.parent / "maps" / "ribosome70S_aspire_65.mrc")
    return inverse(crop_spectrum(forward(volume, 3), size, 3), size, dims=3)


def test_ribosome_without_ctf(truth: Path) -> None:
    table = read_star(truth / "aspire" / "rln_proj_64.star")["particles"]
    theirs = load(truth / "aspire" / "rln_proj_64.mrcs")
    slices = Projector.of(ribosome(truth, 64)).slices(matrices(table))
    ours = inverse(slices * centre_signs(64, dtype=torch.float64))
    assert min(correlations(ours, theirs)) > 0.999999


def test_shifted_ribosome_sits_at_minus_the_origin(truth: Path) -> None:
    table = read_star(truth / "aspire" / "rln_proj_64_shifted.star")["particles"]
    theirs = load(truth / "aspire" / "rln_proj_64_shifted.mrcs")
    slices = Projector.of(ribosome(truth, 64)).slices(matrices(table))
    origins = torch.from_numpy(np.stack([table.floats("rlnOriginY"), table.floats("rlnOriginX")], 1))
    ours = inverse(shift_in_fourier(slices, -origins) * centre_signs(64, dtype=torch.float64))
    # These were projected from another down-sampling of the map, hence not to the last digit.
    assert min(correlations(ours, theirs)) > 0.98
