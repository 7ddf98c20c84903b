"""`periodogram.mean_periodogram` on a device of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.ctf.periodogram import hann_window, tile_starts

Array = np.ndarray[Any, Any]


def mean_periodogram(image: Tensor, tile: int) -> Array:  # (h, w) -> (tile, tile//2 + 1) float32
    """See `periodogram.mean_periodogram`; a row of tiles at a time."""
    window = torch.from_numpy(hann_window(tile)).to(image.device)
    tops, lefts = (tile_starts(length, tile) for length in image.shape)
    shape = (tile, tile // 2 + 1)
    total = torch.zeros(shape, dtype=torch.float64, device=image.device)
    for top in tops:
        row = torch.stack([image[top : top + tile, left : left + tile] for left in lefts])
        row = (row - row.mean(dim=(1, 2), keepdim=True)) * window
        spectra = torch.fft.rfft2(row)
        total += (spectra.real.square() + spectra.imag.square()).sum(dim=0)
    mean: Array = (total / (len(tops) * len(lefts))).float().cpu().numpy()
    return mean
