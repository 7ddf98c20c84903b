"""Zernike polynomials of the aberration function, radius not normalised (refinement.md §10.11.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def odd_index(index: int) -> tuple[int, int]:
    """(n, m) of the i-th odd (antisymmetric) polynomial: 0, 1 tilt/shift; 2, 5 trefoil; 3, 4 coma."""
    k = (math.isqrt(1 + 4 * index) - 1) // 2
    n = 2 * k + 1
    return n, 2 * (index - k * k - k) - n


def even_index(index: int) -> tuple[int, int]:
    """(n, m) of the i-th even (symmetric) polynomial: 0 phase; 1, 3 astigmatism, 2 defocus; 6 spherical."""
    k = math.isqrt(index)
    return 2 * k, 2 * (index - k * k - k)


def zernike(n: int, m: int, frequencies_yx: Tensor) -> Tensor:
    """Z_n^m at frequencies (..., 2) = (y, x) in 1/Å; (...). cos(mθ) for m >= 0, sin(|m|θ) for m < 0."""
    y, x = frequencies_yx.unbind(-1)
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    azimuthal = torch.cos(m * angle) if m >= 0 else torch.sin(-m * angle)
    return _radial(n, abs(m), radius) * azimuthal


def odd_basis(count: int, frequencies_yx: Tensor) -> Tensor:
    """The first `count` odd polynomials; (..., count)."""
    return _stack([zernike(*odd_index(i), frequencies_yx) for i in range(count)], frequencies_yx)


def even_basis(count: int, frequencies_yx: Tensor) -> Tensor:
    """The first `count` even polynomials; (..., count)."""
    return _stack([zernike(*even_index(i), frequencies_yx) for i in range(count)], frequencies_yx)


def _stack(polynomials: list[Tensor], frequencies_yx: Tensor) -> Tensor:
    if not polynomials:
        return frequencies_yx.new_zeros((*frequencies_yx.shape[:-1], 0))
    return torch.stack(polynomials, dim=-1)


def _radial(n: int, m: int, radius: Tensor) -> Tensor:
    total = torch.zeros_like(radius)
    for j in range((n - m) // 2 + 1):
        factor = math.factorial(n - j) / (
            math.factorial(j) * math.factorial((n + m) // 2 - j) * math.factorial((n - m) // 2 - j)
        )
        total = total + (-1) ** j * factor * radius ** (n - 2 * j)
    return total
