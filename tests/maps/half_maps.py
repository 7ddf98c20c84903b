"""Half maps of a known B-factor and noise: simulated ones that several tests judge."""

from __future__ import annotations

import torch

from verglas.fourier import forward, inverse
from verglas.fourier.radial import radii, weight_radially


def ball_of_atoms(size: int, radius_px: float, count: int, seed: int = 0) -> torch.Tensor:
    """Point atoms at random in a ball: white amplitudes beyond the ball's own form."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(count, 3, generator=generator)
    places *= (radius_px * torch.rand(count, 1, generator=generator) ** (1 / 3)) / places.norm(
        dim=1, keepdim=True
    )
    volume = torch.zeros(size, size, size, dtype=torch.float64)
    z, y, x = (places.round().long() + size // 2).T
    volume.index_put_((z, y, x), torch.ones(count, dtype=torch.float64), accumulate=True)
    return volume


def damped(volume: torch.Tensor, pixel_size_angst: float, b_factor_a2: float) -> torch.Tensor:
    size = len(volume)
    decay = torch.exp(-b_factor_a2 / 4 * (radii(size) / (size * pixel_size_angst)).square())
    return inverse(weight_radially(forward(volume, 3), decay), size, 3)


def noisy_pair(signal: torch.Tensor, deviation: float, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noises = [torch.randn(signal.shape, generator=generator, dtype=signal.dtype) for _ in range(2)]
    return signal + deviation * noises[0], signal + deviation * noises[1]
