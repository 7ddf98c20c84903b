"""Fourier shell correlation of maps and what is read from it (refinement.md §10.7.1, §3.7)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier import forward, inverse
from verglas.fourier.radial import shell_products, slabs

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
    """As `fsc` for half transforms of `dims` axes."""
    if first.ndim != dims or first.shape != second.shape:
        raise ValueError(
            f"FSC needs two half transforms of {dims} axes and one size, got {tuple(first.shape)} "
            f"and {tuple(second.shape)}"
        )
    cross, *powers = shell_products(first, second)
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


def resolution_angst(curve: Tensor, size: int, pixel_size_angst: float, threshold: float = 0.143) -> float:
    """Resolution N·p/s in Å of the shell s of `resolution_shell`; infinite where that is 0."""
    shell = resolution_shell(curve, threshold)
    return size * pixel_size_angst / shell if shell else float("inf")


def randomise_phases(volume: Tensor, from_shell: int, generator: torch.Generator) -> Tensor:
    """A map with the same amplitudes whose phases are uniform from a shell on.

    The generator must live on the CPU: the same phases come out on every device.
    """
    dims, side = volume.ndim, int(volume.shape[-1])
    spectrum = randomise_spectrum(forward(volume, dims), from_shell, generator)
    return inverse(spectrum, side, dims)


def randomise_spectrum(spectrum: Tensor, from_shell: int, generator: torch.Generator) -> Tensor:
    """As `randomise_phases` for a half transform; a new one."""
    dims, side = spectrum.ndim, int(spectrum.shape[-2])
    result = torch.empty_like(spectrum)
    # The two planes that hold both members of each pair keep the symmetry of a real map.
    planes = [_antisymmetric_turns(side, dims - 1, generator) for _ in range(2)]
    real = spectrum.real.dtype
    for rows, squared in slabs(side, dims):
        turns = torch.rand(squared.shape, generator=generator, dtype=real)
        for column, plane in zip((0, side // 2), planes):
            if column == 0 or side % 2 == 0:
                turns[..., column] = plane[rows].to(real)
        part = spectrum[rows]
        random = torch.polar(part.abs(), 2 * torch.pi * turns.to(part.device))
        beyond = squared.double().sqrt().round() >= from_shell
        result[rows] = torch.where(beyond.to(part.device), random, part)
    return result


def _antisymmetric_turns(side: int, dims: int, generator: torch.Generator) -> Tensor:
    """Phases in turns of a plane (N, ..) in FFT order: those of -k are minus those of k, of ±k 0."""
    turns = torch.rand((side,) * dims, generator=generator, dtype=torch.float64)
    number = torch.arange(side**dims).reshape(turns.shape)
    axes = tuple(range(dims))

    def of_mate(values: Tensor) -> Tensor:
        return values.flip(axes).roll((1,) * dims, axes)

    mate = of_mate(number)
    return torch.where(number < mate, turns, torch.where(number > mate, -of_mate(turns), 0.0))


def true_fsc(masked: Tensor, randomised: Tensor, from_shell: int, *, zero_negative: bool = False) -> Tensor:
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
