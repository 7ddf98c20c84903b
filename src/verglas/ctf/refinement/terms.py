"""The CTF written so that its phase is linear in what is fitted (refinement.md §10.11.1).

    γ = ph + dz·|u|² + a1·(X² − Y²) + a2·2XY + cs·|u|⁴ + γ_even,     c = −e^α sin γ,   α = s − B/4·|u|²

θ (n, 7) holds ph, dz, a1, a2, cs, s, B in this order; u is the true frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.optics.astigmatism import defocus_matrices, defocus_values
from verglas.optics.contrast_transfer import CtfParameters
from verglas.optics.wavelength import electron_wavelength_angst
from verglas.optics.zernike import even_basis

PHASE, DEFOCUS, ASTIGMATISM, SPHERICAL, DAMPING = (0,), (1,), (2, 3), (4,), (5, 6)
N_PHASE, N_TERMS = 5, 7


@dataclass(frozen=True, eq=False)
class TermBasis:
    """What multiplies θ at P frequencies, float32; every column divided by `scales` to an RMS of 1."""

    columns: Tensor  # (P, 7)
    scales: Tensor  # (7,) float64
    even_phase: Tensor  # (P,) γ_even

    @classmethod
    def at(cls, true_frequencies_yx: Tensor, even_zernike: tuple[float, ...] = ()) -> TermBasis:
        """At frequencies (P, 2) in 1/Å."""
        y, x = true_frequencies_yx.double().unbind(-1)
        squared, one = x * x + y * y, torch.ones_like(x)
        terms = [one, squared, x * x - y * y, 2 * x * y, squared.square(), one, -squared / 4]
        columns = torch.stack(terms, -1)
        scales = columns.square().mean(0).sqrt().clamp_min(1e-30)
        even = torch.zeros_like(x)
        if even_zernike:
            basis = even_basis(len(even_zernike), true_frequencies_yx.double())
            even = basis @ torch.tensor(even_zernike, dtype=torch.float64)
        return cls((columns / scales).float(), scales, even.float())

    def of_pixels(self, pixels: Tensor) -> TermBasis:
        """At some of the frequencies."""
        return TermBasis(self.columns[pixels], self.scales, self.even_phase[pixels])

    def phase(self, scaled: Tensor) -> Tensor:
        """γ (n, P) float32 of θ·scales (n, 7)."""
        return (scaled[:, :N_PHASE].float() @ self.columns[:, :N_PHASE].T).add_(self.even_phase)

    def is_damped(self, scaled: Tensor) -> bool:
        """Whether any amplitude e^α differs from 1."""
        return bool(scaled[:, N_PHASE:].any())

    def amplitude(self, scaled: Tensor) -> Tensor:
        """e^α (n, P) float32, or (n, 1) where there is no B-factor."""
        if not bool(scaled[:, 6].any()):
            return scaled[:, 5:6].exp().float()
        return (scaled[:, N_PHASE:].float() @ self.columns[:, N_PHASE:].T).exp_()


def terms_of(parameters: CtfParameters) -> Tensor:
    """θ (n, 7) float64 of CTF parameters; their even aberrations are not in it."""
    p = parameters
    wavelength = electron_wavelength_angst(p.voltage_kv)
    k1 = torch.pi * wavelength
    matrices = -k1[:, None, None] * defocus_matrices(
        p.defocus_u_angst, p.defocus_v_angst, p.defocus_angle_deg
    )
    mean = (matrices[:, 0, 0] + matrices[:, 1, 1]) / 2
    phase = -torch.deg2rad(p.phase_shift_deg) - contrast_angle(p.amplitude_contrast)
    spherical = torch.pi / 2 * p.cs_mm * 1e7 * wavelength**3
    columns = [phase, mean, matrices[:, 0, 0] - mean, matrices[:, 0, 1], spherical]
    damping = [p.scale_factor.clamp_min(1e-6).log(), p.b_factor_a2]
    return torch.stack(columns + damping, -1)


@dataclass(frozen=True)
class FittedCtf:
    """Terms in the columns of a particle list; (n,) float64 each."""

    defocus_u_angst: Tensor
    defocus_v_angst: Tensor
    defocus_angle_deg: Tensor
    phase_shift_deg: Tensor
    cs_mm: Tensor
    scale_factor: Tensor
    b_factor_a2: Tensor


def fitted_ctf(theta: Tensor, voltage_kv: float, amplitude_contrast: float) -> FittedCtf:
    """The reverse of `terms_of` for θ (n, 7); U >= V, phase shifts in (-180, 180]."""
    wavelength = electron_wavelength_angst(voltage_kv)
    dz, a1, a2 = theta[:, 1], theta[:, 2], theta[:, 3]
    matrices = torch.stack([dz + a1, a2, a2, dz - a1], -1).reshape(-1, 2, 2) / (-torch.pi * wavelength)
    u, v, angle = defocus_values(matrices)
    contrast = contrast_angle(torch.tensor(amplitude_contrast, dtype=torch.float64))
    shift = torch.rad2deg(-theta[:, 0] - contrast)
    shift = 180 - torch.remainder(180 - shift, 360)
    cs = theta[:, 4] / (torch.pi / 2 * 1e7 * wavelength**3)
    return FittedCtf(u, v, angle, shift, cs, theta[:, 5].exp(), theta[:, 6])


def contrast_angle(amplitude_contrast: Tensor) -> Tensor:
    """atan(Q0 / sqrt(1 − Q0²)), radians: the phase that amplitude contrast amounts to."""
    return torch.asin(amplitude_contrast)
