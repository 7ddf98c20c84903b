"""Back-projection to maps: acceptance checks 8 and 9, symmetry, half sets, spectra."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from verglas.fourier import BackProjector, Projector, disc, forward, inverse, rescale
from verglas.fourier.gridding import real_radius
from verglas.geometry import PointGroup, euler_matrices
from verglas.maps import fsc, half_map_fsc, noise_power, reconstruct, signal_from_fsc
from verglas.maps.reconstruction import wiener_divide
from verglas.maps.spectra import data_vs_prior, join_low_resolution, lattice_shell_sums

Make = Callable[..., torch.Tensor]


def sums_of(volume: torch.Tensor, angles: torch.Tensor, weight: float = 1.0, **how: object) -> BackProjector:
    size = volume.shape[-1]
    matrices = euler_matrices(angles)
    slices = Projector.of(volume, **how).slices(matrices).to(torch.complex64)
    sums = BackProjector.empty(size, **how)
    sums.insert(slices * weight, torch.full(slices.shape, weight), matrices)
    sums.make_hermitian()
    return sums


def white(size: int, dims: int) -> torch.Tensor:
    """White noise in a sphere of a quarter of the box: signal up to the last shell."""
    noise = torch.randn([size] * dims, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return noise * (real_radius(size, dims) < size / 4)


@pytest.mark.parametrize(("padding", "least"), [(1, 0.97), (2, 0.995)])
def test_noise_free_projections_give_the_map_back(padding: float, least: float, uniform_angles: Make) -> None:
    size = 32
    volume = white(size, 3)
    found = reconstruct(sums_of(volume, uniform_angles(2000), 1e4, padding=padding))[0].double()
    assert float(fsc(found, volume)[: int(0.9 * size // 2)].min()) > least
    low = [rescale(m, 16, dims=3) for m in (found, volume)]
    scale = float((low[0] * low[1]).sum() / low[1].square().sum())
    assert scale == pytest.approx(1, abs=0.03)


def soft_disc(image: torch.Tensor) -> torch.Tensor:
    """The image without the corners of its transform, which no rotation fills."""
    size = image.shape[-1]
    return inverse(disc(size).scatter(disc(size).gather(forward(image))))


@pytest.mark.parametrize("padding", [1, 2])
def test_noise_free_class_averages_give_the_image_back(padding: float) -> None:
    size = 40
    image = white(size, 2)
    angles = torch.zeros(90, 3, dtype=torch.float64)
    angles[:, 2] = torch.arange(90) * 4.0
    found = reconstruct(sums_of(image, angles, dims=2, padding=padding))[0].double()
    assert float(fsc(found, image)[:18].min()) > (0.97 if padding == 1 else 0.995)
    filled = soft_disc(image)
    assert float((found * filled).sum() / filled.square().sum()) == pytest.approx(1, abs=0.03)


def test_symmetry_replaces_views(blobs: Make, uniform_angles: Make) -> None:
    group, size = PointGroup.of("D2"), 32
    sums = sums_of(blobs(size), uniform_angles(800))
    sums.symmetrise(group.operators)
    symmetric = reconstruct(sums)[0].double()
    # All four equivalent views of every slice, inserted one by one.
    angles, expected = uniform_angles(800), BackProjector.empty(size)
    slices = Projector.of(blobs(size)).slices(euler_matrices(angles)).to(torch.complex64)
    for mates in group.mates(euler_matrices(angles)).unbind(1):
        expected.insert(slices, torch.ones(slices.shape), mates)
    expected.make_hermitian()
    curve = fsc(symmetric, reconstruct(expected)[0].double())
    assert float(curve[:14].min()) > 0.99
    # Turned by a two-fold axis through the box centre the map stays the same.
    turned = symmetric[1:, 1:, 1:].flip(1, 2)
    assert float((turned - symmetric[1:, 1:, 1:]).abs().max()) < 2e-2 * float(symmetric.abs().max())
    torch.testing.assert_close(
        lattice_shell_sums(sums.weight[0], sums.lattice, 15)[0],
        lattice_shell_sums(expected.weight[0], sums.lattice, 15)[0],
        rtol=0.02,
        atol=1.0,
    )


def test_wiener_halves_the_amplitude_where_signal_equals_noise(blobs: Make, uniform_angles: Make) -> None:
    sums = sums_of(blobs(24), uniform_angles(400))
    lattice = sums.lattice
    even = torch.ones_like(sums.weight[0])  # W = 1 everywhere: noise of 1/o per point
    plain = wiener_divide(sums.data[0], even, lattice)
    tau2 = torch.full((13,), 1 / lattice.oversampling, dtype=torch.float64)
    halved = wiener_divide(sums.data[0], even, lattice, tau2)
    shells = lattice.shells()
    torch.testing.assert_close(halved[shells == 8], plain[shells == 8] / 2)
    torch.testing.assert_close(halved[shells < 5], plain[shells < 5])
    tau2[8] = 0
    assert float(wiener_divide(sums.data[0], even, lattice, tau2)[shells == 8].abs().max()) == 0


def test_spectra_of_weights() -> None:
    sums = BackProjector.empty(24)
    sums.weight.fill_(2.0)
    np.testing.assert_allclose(noise_power(sums)[0, :12], 1 / 16)
    ratio, covered = data_vs_prior(sums, torch.full((1, 13), 0.03), 2.0)
    np.testing.assert_allclose(ratio[0, :12], 2 * 8 * 2 * 0.03, rtol=1e-6)
    assert float(covered[0, 5]) == 0
    spectra = signal_from_fsc(torch.tensor([1.0, 0.5, -0.2]), torch.tensor([1.0, 2.0, 3.0]), 4.0)
    np.testing.assert_allclose(spectra.ssnr, [4 * 999, 4, 4 * 0.001 / 0.999], rtol=1e-6)
    np.testing.assert_allclose(spectra.tau2, spectra.ssnr * torch.tensor([1, 2, 3]), rtol=1e-6)
    joined = signal_from_fsc(torch.tensor([0.5]), torch.ones(1), joined=True)
    np.testing.assert_allclose(joined.ssnr, np.sqrt(2 / 3) / (1 - np.sqrt(2 / 3)), rtol=1e-6)


def test_half_sets_agree_where_joined_and_not_where_noise(blobs: Make, uniform_angles: Make) -> None:
    size, angles = 32, uniform_angles(600)
    halves = []
    for seed in (1, 2):
        sums = sums_of(blobs(size), angles)
        noise = torch.randn(
            sums.data.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed)
        )
        far = sums.lattice.shells() > 8
        halves.append(BackProjector(size, sums.lattice, torch.where(far, noise, sums.data), sums.weight))
    before = half_map_fsc(*halves)[0]
    assert float(before[1:8].min()) > 0.999
    assert float(before[10:].abs().max()) < 0.3
    join_low_resolution(*halves, 12)
    assert float(half_map_fsc(*halves)[0][:12].min()) > 0.99999


def test_growing_the_number_of_threads_changes_nothing(blobs: Make, uniform_angles: Make) -> None:
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sums = sums_of(blobs(24), uniform_angles(100))
            sums.symmetrise(PointGroup.of("C3").operators)
            results.append(sums)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0].data, results[1].data)
    assert torch.equal(results[0].weight, results[1].weight)
