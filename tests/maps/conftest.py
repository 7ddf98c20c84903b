"""Maps and images the tests of this folder share."""

import math
from collections.abc import Callable

import pytest
import torch


def make_blobs(size: int, count: int = 12, seed: int = 3) -> torch.Tensor:
    """An asymmetric map of Gaussian blobs within 0.3 of the box, float64."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.arange(size, dtype=torch.float64) - size // 2
    volume = torch.zeros(size, size, size, dtype=torch.float64)
    for _ in range(count):
        centre = torch.randn(3, generator=generator, dtype=torch.float64)
        centre *= 0.28 * size * float(torch.rand(1, generator=generator)) ** (1 / 3) / centre.norm()
        sigma = 1.0 + float(torch.rand(1, generator=generator))
        parts = [torch.exp(-((axis - c) ** 2) / (2 * sigma**2)) for c in centre]
        volume += torch.einsum("z,y,x->zyx", *parts)
    return volume


def make_uniform_angles(count: int) -> torch.Tensor:
    """(rot, tilt, psi) of an even spiral over the sphere, (count, 3)."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    tilt = torch.rad2deg(torch.acos(1 - 2 * index / count))
    rot = (index * 180 * (3 - math.sqrt(5))) % 360
    return torch.stack([rot, tilt, (index * 77.7) % 360], dim=1)


@pytest.fixture(scope="session")
def blobs() -> Callable[..., torch.Tensor]:
    return make_blobs


@pytest.fixture(scope="session")
def uniform_angles() -> Callable[[int], torch.Tensor]:
    return make_uniform_angles
