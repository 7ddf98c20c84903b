"""Modulation transfer of detectors (refinement.md §1.9)."""

from __future__ import annotations

import torch
from torch import Tensor


def mtf_at(
    frequencies: Tensor, table_frequencies: Tensor, table_values: Tensor, original_pixel_size_angst: float
) -> Tensor:
    """The MTF at spatial frequencies in 1/Å, any shape, by linear interpolation of a table.

    The table's abscissae are in 1/pixel of the original detector pixel, ascending; beyond its ends the end
    values hold. ValueError for tables that are not ascending or of unequal lengths.
    """
    x = table_frequencies.to(frequencies)
    y = table_values.to(frequencies)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(
            f"MTF table: {tuple(x.shape)} frequencies, {tuple(y.shape)} values; need two or more"
        )
    if bool((x[1:] <= x[:-1]).any()):
        raise ValueError("MTF table: frequencies must ascend")
    wanted = (frequencies * original_pixel_size_angst).clamp(float(x[0]), float(x[-1]))
    right = torch.searchsorted(x, wanted.contiguous()).clamp(1, len(x) - 1)
    left = right - 1
    part = (wanted - x[left]) / (x[right] - x[left])
    return torch.lerp(y[left], y[right], part)
