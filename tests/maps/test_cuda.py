"""The same numbers on a CUDA device as on the CPU."""

from collections.abc import Callable

import pytest
import torch

from verglas.fourier import BackProjector, Projector, frequency_grid
from verglas.geometry import PointGroup, euler_matrices
from verglas.maps import fsc, half_map_fsc, noise_power, reconstruct, soft_mask
from verglas.maps.spectra import data_vs_prior, join_low_resolution
from verglas.optics import CtfParameters, ctf

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
Make = Callable[..., torch.Tensor]


def test_reconstruction_and_its_spectra(blobs: Make, uniform_angles: Make) -> None:
    matrices = euler_matrices(uniform_angles(200))
    found = {}
    for device in ("cpu", "cuda"):
        volume = blobs(32).float().to(device)
        slices = Projector.of(volume).slices(matrices.to(device))
        sums, other = (BackProjector.empty(32, device=device) for _ in range(2))
        sums.insert(slices, torch.ones(slices.shape, device=device), matrices)
        other.insert(slices, torch.ones(slices.shape, device=device), matrices)
        sums.make_hermitian()
        sums.symmetrise(PointGroup.of("D3").operators)
        join_low_resolution(sums, other, 3)
        tau2 = torch.full((1, 17), 0.1, dtype=torch.float64, device=device)
        image = reconstruct(sums, tau2)
        found[device] = [
            image,
            noise_power(sums),
            data_vs_prior(sums, tau2)[0],
            half_map_fsc(sums, other),
            fsc(image[0], volume),
            soft_mask(volume[None], 10, dims=3),
        ]
    for here, there in zip(found["cpu"], found["cuda"], strict=True):
        scale = float(here.abs().max())
        torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-4 * scale)


def test_ctf() -> None:
    parameters = CtfParameters.of(
        torch.linspace(8000, 20000, 5),
        9000,
        20,
        voltage_kv=300,
        cs_mm=2.7,
        amplitude_contrast=0.1,
        b_factor_a2=10,
        even_zernike=[[0.1, 2.0, 1.0]],
    )
    grid = frequency_grid(64, 1.5)
    there = ctf(parameters.to("cuda"), grid.cuda())
    torch.testing.assert_close(there.cpu(), ctf(parameters, grid), rtol=1e-3, atol=2e-4)
