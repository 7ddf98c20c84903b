"""Peaks, their distances, and the number of peaks that noise has."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.picking.background import frequency_radius, noise_spectrum
from verglas.picking.peaks import keep_apart, local_maxima
from verglas.picking.significance import automatic_threshold, noise_peaks, noise_scale
from verglas.picking.working_image import good_size, normalise_locally, reduce_image


def test_a_paraboloid_is_found_between_pixels() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(40.0), indexing="ij")
    score = 10 - (x - 20.3) ** 2 - 2 * (y - 11.75) ** 2
    position, value = local_maxima(score, 0.0)
    np.testing.assert_allclose(position, [[20.3, 11.75]], atol=1e-4)
    assert value[0] <= 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1, 30))
def test_kept_peaks_are_apart_and_every_other_has_a_better_one_near(seed: int, distance: float) -> None:
    position = np.random.default_rng(seed).uniform(0, 100, (80, 2))
    kept = keep_apart(position, distance)
    separation = np.sqrt(((position[:, None] - position[None]) ** 2).sum(-1))
    between = separation[np.ix_(kept, kept)] + 1e9 * np.eye(len(kept))
    assert (between > distance).all()
    for index in set(range(80)) - set(kept.tolist()):
        better = kept[kept < index]
        assert (separation[index, better] <= distance).any()


def test_noise_peaks_are_counted_as_theory_says() -> None:
    """Peaks above 3 sigma of filtered white noise, against their mean number."""
    shape, pixel = (512, 512), 4.0
    frequency = frequency_radius(shape, pixel, torch.device("cpu"))
    filter_ = torch.exp(-0.5 * (frequency * 60) ** 2)
    generator = torch.Generator().manual_seed(0)
    found = 0
    for _ in range(20):
        noise = torch.randn(shape, generator=generator)
        field = torch.fft.irfft2(torch.fft.rfft2(noise) * filter_, s=shape)
        middle, sigma = noise_scale(field)
        found += len(local_maxima((field - middle) / sigma, 3.0)[0])
    expected = 20 * noise_peaks(filter_**2, frequency, 512 * 512 * pixel**2)(3.0)
    assert abs(found - expected) < 0.15 * expected


def test_threshold_lies_between_noise_and_particles() -> None:
    def expected(z: float) -> float:
        return 3000 * z * np.exp(-0.5 * z * z)

    heights = np.sort(np.concatenate([np.full(100, 7.0), np.linspace(1, 3.4, 2000)]))[::-1]
    assert 3.4 < automatic_threshold(heights, expected) <= 7.0
    alone = automatic_threshold(np.linspace(3.4, 1, 2000), expected)
    assert 0.5 < expected(alone) <= 1.0001
    assert automatic_threshold(np.zeros(0), expected) == alone


def test_noise_power_of_white_noise_is_one() -> None:
    image = torch.randn(256, 320, generator=torch.Generator().manual_seed(1))
    power = noise_spectrum(image, 2.0, 48).at(torch.linspace(0.02, 0.24, 50))
    assert 0.75 < float(power.mean()) < 1.1  # the quietest tenth lies a little below


def test_local_normalisation_removes_a_gradient_up_to_the_edge() -> None:
    x = torch.linspace(0, 20, 300)
    image = torch.randn(280, 300, generator=torch.Generator().manual_seed(2)) * (1 + x / 10) + x
    flat, mean, deviation = normalise_locally(image, 20.0)
    assert (mean - x).abs().mean() < 0.1
    assert (deviation / (1 + x / 10)).sub(1).abs().mean() < 0.05
    for part in (flat[:, :40], flat[:, -40:], flat[:40], flat[100:140, 100:140]):
        assert abs(float(part.mean())) < 0.15
        assert 0.9 < float(part.std()) < 1.1


def test_reduction_keeps_waves_below_the_new_limit() -> None:
    y, x = torch.meshgrid(torch.arange(120.0), torch.arange(160.0), indexing="ij")
    wave = torch.cos(2 * torch.pi * (3 * y / 120 + 5 * x / 160))
    small = reduce_image(wave, (60, 80))
    torch.testing.assert_close(small, wave[::2, ::2], atol=1e-4, rtol=0)


@given(st.floats(16, 5000))
def test_good_sizes_are_even_close_and_smooth(size: float) -> None:
    found = good_size(size)
    assert found % 2 == 0
    assert abs(found - size) <= max(3, 0.06 * size)
    for prime in (2, 3, 5, 7):
        while found % prime == 0:
            found //= prime
    assert found == 1
