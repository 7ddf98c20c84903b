"""Soft masks and Fourier shell correlations."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from verglas.fourier.gridding import real_radius
from verglas.maps import fsc, outside_weight, resolution_angst, resolution_shell, soft_mask, true_fsc
from verglas.maps.shell_correlation import first_shell_below, randomise_phases

Make = Callable[..., torch.Tensor]


def test_mask_profile_and_mean_background() -> None:
    image = torch.randn(2, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 3
    masked = soft_mask(image, 20.5)
    radius = real_radius(64, 2)
    assert torch.equal(masked[:, radius < 20.5], image[:, radius < 20.5])
    far = masked[:, radius > 25.5]
    np.testing.assert_allclose(far.std(1), 0, atol=1e-12)
    outside = outside_weight(64, 20.5, dtype=torch.float64)
    np.testing.assert_allclose(far[:, 0], (image * outside).sum((1, 2)) / outside.sum())
    ring = outside[(radius - 23).abs().argmin() // 64, (radius - 23).abs().argmin() % 64]
    assert float(ring) == pytest.approx(0.5, abs=0.05)
    assert float(soft_mask(image, 20.5, background=7.0)[0, 0, 0]) == 7


def test_fsc_of_a_map_with_itself_scaled_and_against_noise(blobs: Make) -> None:
    volume = blobs(32) + 0.01 * torch.randn(32, 32, 32, dtype=torch.float64)
    np.testing.assert_allclose(fsc(volume, 3 * volume), 1, atol=1e-12)
    noise = torch.randn(32, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    assert float(fsc(noise, volume)[6:].abs().max()) < 0.25
    np.testing.assert_allclose(fsc(volume, -volume)[1:], -1, atol=1e-12)


def test_resolution_is_the_last_shell_before_the_first_fall() -> None:
    curve = torch.tensor([1, 0.9, 0.5, 0.2, 0.1, 0.3, 0.0])
    assert resolution_shell(curve) == 3
    assert first_shell_below(curve, 0.5) == 3
    assert resolution_angst(curve, 12, 2.0) == pytest.approx(8.0)
    assert resolution_shell(torch.ones(7)) == 6


def test_random_phases_keep_amplitudes_and_low_shells(blobs: Make) -> None:
    volume = blobs(24) + 0.1 * torch.randn(24, 24, 24, dtype=torch.float64)
    random = randomise_phases(volume, 6, torch.Generator().manual_seed(0))
    curve = fsc(random, volume)
    np.testing.assert_allclose(curve[:6], 1, atol=1e-9)
    assert float(curve[6:].abs().max()) < 0.35
    assert float(random.square().sum()) == pytest.approx(float(volume.square().sum()), rel=1e-9)


def test_true_fsc_takes_off_what_the_mask_adds() -> None:
    masked, random = torch.tensor([1, 0.9, 0.8, 0.5, 0.3]), torch.tensor([1, 1, 0.9, 0.2, 0.4])
    np.testing.assert_allclose(true_fsc(masked, random, 1), [1, 0.9, 0.8, 0.375, -0.1 / 0.6], rtol=1e-5)
    assert float(true_fsc(masked, random, 1, zero_negative=True)[4]) == 0


def test_unequal_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        fsc(torch.zeros(4, 4, 4), torch.zeros(6, 6, 6))
