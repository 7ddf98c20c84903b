"""Sums and weights by radius, and transforms cut to a band, against the plain definitions."""

import torch

from verglas.fourier import forward, index_grid, inverse, low_pass, shell_indices, shell_sums
from verglas.fourier.band import band_radius, band_spectrum, from_band
from verglas.fourier.filters import cutoff_shell, low_pass_weights
from verglas.fourier.radial import amplitude_sums, by_shell, radii, shell_products, slabs, weight_radially


def noise(size: int, dims: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randn((size,) * dims, generator=generator, dtype=torch.float64)


def test_slabs_cover_every_frequency_once() -> None:
    for dims in (2, 3):
        parts = [squared for _, squared in slabs(10, dims)]
        torch.testing.assert_close(torch.cat(parts), index_grid(10, dims).square().sum(-1))


def test_sums_over_shells() -> None:
    first, second = forward(noise(16), 3), forward(noise(16).roll(1, 0), 3)
    shells = shell_indices(16, 3)
    cross, one, _ = shell_products(first, second)
    torch.testing.assert_close(cross, shell_sums((first.conj() * second).real, shells, 9))
    torch.testing.assert_close(one, shell_sums(first.abs().square(), shells, 9))
    sums, counts = by_shell(amplitude_sums(first), 16)
    torch.testing.assert_close(sums, shell_sums(first.abs(), shells, 9))
    torch.testing.assert_close(counts, shell_sums(torch.ones_like(first.real), shells, 9))


def test_weights_by_radius() -> None:
    spectrum = forward(noise(16), 3)
    radius = index_grid(16, 3).double().square().sum(-1).sqrt()
    wanted = spectrum * torch.exp(-radius)
    torch.testing.assert_close(weight_radially(spectrum.clone(), torch.exp(-radii(16))), wanted)


def test_a_band_is_the_low_part_of_the_transform() -> None:
    volume = noise(18)
    band = band_spectrum(volume, 4)
    full = forward(volume, 3)
    torch.testing.assert_close(band, full[[*range(5), *range(-4, 0)]][:, [*range(5), *range(-4, 0)]][..., :5])
    inside = band * (band_radius(4) <= 4)
    radius = index_grid(18, 3).double().square().sum(-1).sqrt()
    torch.testing.assert_close(from_band(inside, 18), inverse(full * (radius <= 4), 18, 3))


def test_a_low_pass_within_a_band_is_the_low_pass() -> None:
    for dims, size in ((3, 20), (2, 31)):
        image = noise(size, dims)
        radius = index_grid(size, dims).double().square().sum(-1).sqrt()
        weights = low_pass_weights(radius, cutoff_shell(size, 1.0, 5.0))
        wanted = inverse(forward(image, dims) * weights, size, dims)
        torch.testing.assert_close(low_pass(image, 1.0, 5.0, dims=dims), wanted)
