"""Two ways are called equal where they differ by rounding, and not where one has lost 5 % of its signal over noise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from half_maps import ball_of_atoms, damped, noisy_pair

from verglas.maps.equal_ways import compare_ways

SIZE, PIXEL_ANGST = 64, 2.0
LOST = 0.05


def halves(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The signal and two half maps with noise."""
    signal = damped(ball_of_atoms(SIZE, 20, 3000), PIXEL_ANGST, 60.0)
    return signal, *noisy_pair(signal, 0.2, seed)


def test_rounding_is_equal() -> None:
    _, *pair = halves()
    random = torch.Generator().manual_seed(3)
    rounded = [half + 1e-3 * half.std() * torch.randn(half.shape, generator=random) for half in pair]
    found = compare_ways((pair[0], pair[1]), (rounded[0].float(), rounded[1].float()))
    assert found.equal and found.ssnr_ratio > 0.999 and 10 < found.last_shell < SIZE // 2


def test_a_damaged_arm_is_not_equal_though_its_map_correlates() -> None:
    signal, *pair = halves()
    louder = (1 / (1 - LOST)) ** 0.5
    damaged = [signal + louder * (half - signal) for half in pair]
    for ways in ((pair, damaged), (damaged, pair)):
        found = compare_ways(*((arm[0], arm[1]) for arm in ways))
        assert found.fsc_area > 0.999  # by this alone it would pass
        assert not found.equal
        assert found.ssnr_ratio == pytest.approx(1 - LOST, abs=0.01)


def test_other_noise_is_not_equal() -> None:
    found = compare_ways(halves(1)[1:], halves(2)[1:])
    assert not found.equal and found.fsc_area < 0.999


def test_noise_alone_cannot_be_compared() -> None:
    noises = noisy_pair(torch.zeros(SIZE, SIZE, SIZE), 1.0)
    with pytest.raises(ValueError, match="nothing to compare"):
        compare_ways(noises, noises)
