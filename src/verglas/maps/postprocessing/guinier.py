"""Guinier plots: the logarithm of amplitudes against 1/d², and the straight line through it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NO_AMPLITUDE = -99.0


@dataclass(frozen=True)
class LineFit:
    """ln|F| = intercept + slope/d²; B is four times the slope, negative where amplitudes fall off."""

    slope: float
    intercept: float
    determination: float  # r², the share of the spread that the line explains

    @property
    def b_factor_a2(self) -> float:
        return 4 * self.slope


def squared_resolution(n_shells: int, size: int, pixel_size_angst: float) -> Tensor:
    """1/d² of shells, float64."""
    return (torch.arange(n_shells).double() / (size * pixel_size_angst)).square()


def log_means(sums: Tensor, counts: Tensor) -> Tensor:
    """ln of mean amplitudes per shell; NO_AMPLITUDE where there is none."""
    means = sums / counts.clamp_min(1)
    return torch.where(means > 0, means.clamp_min(1e-300).log(), NO_AMPLITUDE)


def fit_line(squared: Tensor, log_amplitudes: Tensor, lowest_angst: float, highest_angst: float) -> LineFit:
    """Least squares over shells between two resolutions in Å (the second 0: to the end).

    Shells without amplitude are left out. Raises ValueError if fewer than three are left.
    """
    known = (squared >= lowest_angst**-2) & (log_amplitudes > NO_AMPLITUDE)
    if highest_angst > 0:
        known &= squared <= highest_angst**-2
    if int(known.sum()) < 3:
        raise ValueError(
            f"only {int(known.sum())} shells lie beyond {lowest_angst:g} Å and within the resolution: too "
            "few for a B-factor. Fit from a lower resolution, or give a B-factor"
        )
    x, y = squared[known], log_amplitudes[known]
    dx, dy = x - x.mean(), y - y.mean()
    slope = float((dx * dy).sum() / dx.square().sum())
    spread = float(dx.square().sum() * dy.square().sum())
    determination = float((dx * dy).sum()) ** 2 / spread if spread > 0 else 0.0
    return LineFit(slope, float(y.mean()) - slope * float(x.mean()), determination)
