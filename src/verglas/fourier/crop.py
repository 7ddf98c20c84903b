"""Cropping and growing half transforms (refinement.md §1.4): rescaling of images keeps their grey values."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier.grid import row_indices, squared_radius
from verglas.fourier.transforms import forward, inverse


def crop_spectrum(spectra: Tensor, size: int, dims: int = 2) -> Tensor:
    """Keep |x|, |y| (, |z|) <= size/2 of half transforms (..., N, N//2+1); (..., size, size//2+1).

    The result is a square: its corners beyond the inscribed circle stay. The Nyquist row is that of +size/2.
    """
    full = _side(spectra, dims)
    if size > full:
        raise ValueError(f"cannot crop a transform of side {full} to {size}")
    if size == full:
        return spectra
    result = spectra[..., : size // 2 + 1]
    rows = row_indices(size, spectra.device) % full
    for axis in range(-dims, -1):
        result = result.index_select(axis, rows)
    return result


def pad_spectrum(spectra: Tensor, size: int, dims: int = 2) -> Tensor:
    """Embed half transforms (..., N, N//2+1) in those of side `size`; what has r² > (N/2)² becomes 0."""
    full = _side(spectra, dims)
    if size < full:
        raise ValueError(f"cannot grow a transform of side {full} to {size}")
    if size == full:
        return spectra
    inside = squared_radius(full, dims, spectra.device) * 4 <= full * full
    result = spectra.new_zeros((*spectra.shape[:-dims], *[size] * (dims - 1), size // 2 + 1))
    rows = row_indices(full, spectra.device) % size
    index = (rows[:, None], rows) if dims == 3 else (rows,)
    result[(..., *index, slice(full // 2 + 1))] = torch.where(inside, spectra, 0)
    return result


def resize_spectrum(spectra: Tensor, size: int, dims: int = 2) -> Tensor:
    """Crop or grow half transforms to a side."""
    crop = size <= _side(spectra, dims)
    return crop_spectrum(spectra, size, dims) if crop else pad_spectrum(spectra, size, dims)


def rescale(images: Tensor, size: int, dims: int = 2) -> Tensor:
    """Real images (..., N, N) resampled to side `size` over the same extent: the mean stays."""
    return inverse(resize_spectrum(forward(images, dims), size, dims), size, dims)


def _side(spectra: Tensor, dims: int) -> int:
    side = int(spectra.shape[-2])
    if spectra.shape[-1] != side // 2 + 1 or (dims == 3 and spectra.shape[-3] != side):
        raise ValueError(f"not a half transform of a {dims}D box: shape {tuple(spectra.shape)}")
    return side
