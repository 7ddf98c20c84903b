"""Translation of images (refinement.md §1.5): positive shifts move content right and down."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier.grid import index_grid


def shift_phases(
    shifts_yx: Tensor, indices_yx: Tensor, box_size: int, dtype: torch.dtype = torch.complex64
) -> Tensor:
    """exp(-2πi k·t/N), (..., *grid), for shifts t (..., d) and integer frequencies k (*grid, d).

    Shifts are in pixels of a box of `box_size`. Angles are reduced in float64, so that float32 phases of
    large shifts keep their digits.
    """
    shifts = shifts_yx.double().reshape(-1, shifts_yx.shape[-1])
    turns = shifts @ indices_yx.double().reshape(-1, indices_yx.shape[-1]).T / -box_size
    angles = (2 * torch.pi * (turns - turns.round())).to(dtype.to_real())
    phases = torch.polar(torch.ones_like(angles), angles)
    return phases.reshape(*shifts_yx.shape[:-1], *indices_yx.shape[:-1])


def shift_in_fourier(
    spectra: Tensor, shifts_yx: Tensor, *, box_size: int | None = None, dims: int = 2
) -> Tensor:
    """Translate half transforms (..., h, h//2+1) by shifts (..., d) in pixels of the box.

    `box_size` is the side of the image where the transform was cropped; by default that of the transform.
    """
    side = int(spectra.shape[-2])
    indices = index_grid(side, dims, spectra.device)
    shifts = shifts_yx.to(spectra.device)
    return spectra * shift_phases(shifts, indices, box_size or side, spectra.dtype)


def shift_whole_pixels(images: Tensor, shifts_yx: Tensor) -> Tensor:
    """Translate images (n, h, w) by whole pixels (n, 2) without wrapping; vacated pixels become 0."""
    height, width = images.shape[-2:]
    shifts = shifts_yx.to(images.device).long()
    rows = torch.arange(height, device=images.device) - shifts[:, :1]
    columns = torch.arange(width, device=images.device) - shifts[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images[batch, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]]
    return torch.where(inside, moved, 0)
