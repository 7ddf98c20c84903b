"""Fourier shell correlation of maps and what is read from it (refinement.md §10.7.1, §3.7)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier import forward, inverse, shell_indices, shell_sums

RANDOMISE_BELOW = 0.8


def fsc(first: Tensor, second: Tensor) -> Tensor:
    """FSC of two real cubes (N, N, N), or images (N, N), per shell round(|k|): (N//2+1,) float64.

    Re Σ conj(F1) F2 / sqrt(Σ|F1|² Σ|F2|²) over all stored points; FSC(0) = 1; empty shells give 0.
    """
    if first.shape != second.shape or len(set(first.shape)) != 1:
        raise ValueError(
            f"FSC needs two cubes of one size, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    dims = first.ndim
    return fsc_of_spectra(forward(first, dims), forward(second, dims), dims)


def fsc_of_spectra(first: Tensor, second: Tensor, dims: int = 3) -> Tensor:
    """As `fsc` for half transforms."""
    side = int(first.shape[-2])
    shells, n_shells = shell_indices(side, dims, first.device), side // 2 + 1
    cross = shell_sums((first.conj() * second).real.double(), shells, n_shells)
    powers = [shell_sums(f.abs().double().square(), shells, n_shells) for f in (first, second)]
    norm = (powers[0] * powers[1]).sqrt()
    curve = torch.where(norm > 0, cross / norm.clamp_min(1e-300), 0.0)
    curve[0] = 1.0
    return curve


def first_shell_below(curve: Tensor, threshold: float, start: int = 1) -> int | None:
    """The first shell >= start where the curve is below the threshold; None if there is none."""
    below = (curve[start:] < threshold).nonzero().flatten()
    return int(below[0]) + start if len(below) else None


def resolution_shell(curve: Tensor, threshold: float = 0.143) -> int:
    """The last shell before the curve first falls below the threshold."""
    below = first_shell_below(curve, threshold)
    return len(curve) - 1 if below is None else below - 1


def resolution_angst(
    curve: Tensor, size: int, pixel_size_angst: float, threshold: float = 0.143
) -> float:
    """Resolution N·p/s in Å of the shell s of `resolution_shell`; infinite where that is 0."""
    shell = resolution_shell(curve, threshold)
    return size * pixel_size_angst / shell if shell else float("inf")


def randomise_phases(volume: Tensor, from_shell: int, generator: torch.Generator) -> Tensor:
    """A map with the same amplitudes whose phases are uniform from a shell on.

    The generator must live on the CPU: the same phases come out on every device.
    """
    dims, side = volume.ndim, int(volume.shape[-1])
    spectrum = forward(volume, dims)
    # Phases of white noise are uniform and keep the symmetry of a real map.
    noise = forward(torch.randn(volume.shape, generator=generator, dtype=volume.dtype), dims)
    random = torch.polar(spectrum.abs(), noise.to(volume.device).angle())
    beyond = shell_indices(side, dims, volume.device) >= from_shell
    return inverse(torch.where(beyond, random, spectrum), side, dims)


def true_fsc(
    masked: Tensor, randomised: Tensor, from_shell: int, *, zero_negative: bool = False
) -> Tensor:
    """The masked FSC freed of what the mask alone correlates: (masked - random)/(1 - random).

    Untouched below from_shell + 2. `zero_negative` sets shells to 0 where the random curve is higher, as
    refinement does.
    """
    shells = torch.arange(len(masked), device=masked.device)
    corrected = (masked - randomised) / (1 - randomised).clamp_min(1e-6)
    if zero_negative:
        corrected = torch.where(randomised > masked, 0.0, corrected)
    curve = torch.where(shells < from_shell + 2, masked, corrected)
    if float(curve[0]) <= 0:
        curve[0] = 1.0
    return curve
