"""Antisymmetric aberrations: beam tilt, coma, trefoil (refinement.md §1.9, §10.11.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from verglas.optics.wavelength import electron_wavelength_angst
from verglas.optics.zernike import odd_basis

_COMA_Y, _COMA_X = 3, 4  # odd indices of (n, m) = (3, -1) and (3, 1)


def odd_phase(
    frequencies_yx: Tensor,
    coefficients: Sequence[float] = (),
    *,
    beam_tilt_mrad_xy: tuple[float, float] = (0.0, 0.0),
    voltage_kv: float = 300.0,
    cs_mm: float = 2.7,
) -> Tensor:
    """φ_odd in radians, (...), at true frequencies (..., 2) = (y, x) in 1/Å.

    Images are demodulated by exp(-iφ), predictions of raw images modulated by exp(+iφ). Where a magnification
    matrix applies, pass the frequencies it maps to.
    """
    y, x = frequencies_yx.unbind(-1)
    tilt_x, tilt_y = beam_tilt_mrad_xy
    strength = tilt_strength(voltage_kv, cs_mm)
    phase = -strength * (x * x + y * y) * (tilt_x * x + tilt_y * y)
    if len(coefficients):
        basis = odd_basis(len(coefficients), frequencies_yx)
        phase = phase + basis @ torch.as_tensor(coefficients, dtype=basis.dtype, device=basis.device)
    return phase


def tilt_strength(voltage_kv: float, cs_mm: float) -> float:
    """q = 2·10⁴ π Cs λ²: phase per mrad of beam tilt and 1/Å³."""
    return 2e4 * torch.pi * cs_mm * electron_wavelength_angst(voltage_kv) ** 2


def split_beam_tilt(
    coefficients: Sequence[float], voltage_kv: float, cs_mm: float
) -> tuple[tuple[float, float], tuple[float, ...]]:
    """Beam tilt (x, y) in mrad and the odd coefficients left over once coma is expressed as tilt.

    The phase stays the same. Without spherical aberration there is no tilt to express it by: ValueError.
    """
    strength = tilt_strength(voltage_kv, cs_mm)
    if strength == 0:
        raise ValueError("coma cannot be expressed as beam tilt where the spherical aberration is 0")
    rest = list(coefficients) + [0.0] * max(0, _COMA_X + 1 - len(coefficients))
    tilt = -3 * rest[_COMA_X] / strength, -3 * rest[_COMA_Y] / strength
    rest[1] -= 2 * rest[_COMA_X]
    rest[0] -= 2 * rest[_COMA_Y]
    rest[_COMA_X] = rest[_COMA_Y] = 0.0
    return tilt, tuple(rest)
