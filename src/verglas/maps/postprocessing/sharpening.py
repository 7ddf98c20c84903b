"""Sharpening of a map by its detector, its FSC and its B-factor (refinement.md §10.7.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import b_factor_weights, cutoff_shell, low_pass_weights
from verglas.fourier.filters import EDGE_SHELLS
from verglas.fourier.radial import amplitude_sums, by_shell, radii
from verglas.maps.postprocessing.guinier import LineFit, fit_line, log_means, squared_resolution
from verglas.maps.shell_correlation import first_shell_below, resolution_shell
from verglas.optics.mtf import mtf_at

NO_WEIGHT_BELOW = 1e-4


@dataclass(frozen=True)
class DetectorMtf:
    """An MTF table and the pixel of the detector that its frequencies (1/px) refer to."""

    frequencies: Tensor
    values: Tensor
    pixel_size_angst: float


@dataclass(frozen=True)
class SharpeningSettings:
    """How to sharpen; lengths in Å."""

    pixel_size_angst: float
    mtf: DetectorMtf | None = None
    b_factor_a2: float | None = 0.0  # None: from the Guinier plot
    fit_from_angst: float = 10.0
    fit_to_angst: float = 0.0  # 0: Nyquist
    weight_by_fsc: bool = True
    low_pass_angst: float = 0.0  # 0: none; negative: at the resolution
    edge_shells: float = EDGE_SHELLS


@dataclass(frozen=True)
class Guinier:
    """ln⟨|F|⟩ of shells up to Nyquist before and after every step, (S,) float64."""

    squared: Tensor  # 1/d²
    original: Tensor
    mtf_corrected: Tensor | None
    weighted: Tensor | None  # None: not weighted
    sharpened: Tensor


@dataclass(frozen=True)
class Sharpening:
    """What a spectrum is multiplied with (a table over r²), and how that came about."""

    factors: Tensor
    b_factor_a2: float
    fit: LineFit | None
    guinier: Guinier


def sharpening_of(spectrum: Tensor, fsc: Tensor, settings: SharpeningSettings) -> Sharpening:
    """The factors for a map's half transform (N, N, N//2+1) with this FSC (S,)."""
    size = int(spectrum.shape[-2])
    radius = radii(size)
    frequency = radius / (size * settings.pixel_size_angst)
    within = radius <= size / 2
    sums, counts = amplitude_sums(spectrum).cpu()
    squared = squared_resolution(size // 2 + 1, size, settings.pixel_size_angst)
    shell_counts = by_shell(counts, size)

    def logs(factors: Tensor) -> Tensor:
        return log_means(by_shell(sums * factors, size), shell_counts)

    detector = torch.ones_like(radius)
    if settings.mtf is not None:
        detector = _detector_weights(frequency, settings.mtf, within)
    weighted = detector
    if settings.weight_by_fsc:
        weighted = detector * _fsc_weights(fsc, radius)
    fit = None
    b_factor = settings.b_factor_a2
    if b_factor is None:
        fit = fit_line(squared, logs(weighted), settings.fit_from_angst, settings.fit_to_angst)
        b_factor = fit.b_factor_a2
    sharpened = weighted * b_factor_weights(radius, size, settings.pixel_size_angst, b_factor)
    sharpened = torch.where(within, sharpened, 0.0)
    factors = sharpened * _filter(radius, size, fsc, settings)
    guinier = Guinier(
        squared,
        logs(torch.ones_like(radius)),
        None if settings.mtf is None else logs(detector),
        logs(weighted) if settings.weight_by_fsc else None,
        logs(sharpened),
    )
    return Sharpening(factors, b_factor, fit, guinier)


def _detector_weights(frequency: Tensor, mtf: DetectorMtf, within: Tensor) -> Tensor:
    values = mtf_at(frequency, mtf.frequencies, mtf.values, mtf.pixel_size_angst)
    if bool((values[within] <= 0).any()):
        place = float(frequency[within][values[within] <= 0][0])
        raise ValueError(f"the MTF is not positive at {1 / place:.2f} Å: nothing can be divided by it")
    return torch.where(within, 1 / values.clamp_min(1e-30), 1.0)


def _fsc_weights(fsc: Tensor, radius: Tensor) -> Tensor:
    """sqrt(2F/(1+F)) up to the last shell before F first falls below 1e-4, 0 from there on."""
    end = first_shell_below(fsc, NO_WEIGHT_BELOW, start=0)
    weights = (2 * fsc / (1 + fsc)).clamp_min(0).sqrt().cpu()
    if end is not None:
        weights[end:] = 0
    shells = radius.round().long()
    return torch.where(shells < len(fsc), weights[shells.clamp_max(len(fsc) - 1)], 0.0)


def _filter(radius: Tensor, size: int, fsc: Tensor, settings: SharpeningSettings) -> Tensor:
    if settings.low_pass_angst == 0:
        return torch.ones_like(radius)
    shell = resolution_shell(fsc)
    if settings.low_pass_angst > 0:
        shell = cutoff_shell(size, settings.pixel_size_angst, settings.low_pass_angst)
    return low_pass_weights(radius, shell, settings.edge_shells)
