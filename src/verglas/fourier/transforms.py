"""Fourier transforms in the normalisation of refinement.md §1.2: forward divided by N**d, inverse not."""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor


def forward(images: Tensor, dims: int = 2) -> Tensor:
    """Half transforms (..., N, N//2+1) of real arrays (..., N, N), or of three axes with `dims` = 3.

    White noise of unit variance in a box of N gives E|F|² = 1/N² (2D).
    """
    return torch.fft.rfftn(images, dim=_axes(dims), norm="forward")


def inverse(spectra: Tensor, size: int | tuple[int, ...] | None = None, dims: int = 2) -> Tensor:
    """Real arrays of half transforms: the plain sum over frequencies.

    `size` is the side of the box, or its shape; by default rows and columns are equally long.
    """
    if size is None:
        size = spectra.shape[-2]
    shape = (size,) * dims if isinstance(size, int) else size
    return torch.fft.irfftn(spectra, s=shape, dim=_axes(dims), norm="forward")


def forward_frame(frame: NDArray[np.floating], workers: int = 1) -> NDArray[np.complexfloating]:
    """As `forward` for one large numpy image: on a CPU faster than torch for awkward frame sizes."""
    return scipy.fft.rfft2(frame, norm="forward", workers=workers)


def inverse_frame(
    spectrum: NDArray[np.complexfloating], shape: tuple[int, int], workers: int = 1
) -> NDArray[np.floating]:
    """As `inverse` for one large numpy half transform; `shape` (rows, columns) of the image."""
    return scipy.fft.irfft2(spectrum, s=shape, norm="forward", workers=workers)


def _axes(dims: int) -> tuple[int, ...]:
    if dims not in (1, 2, 3):
        raise ValueError(f"transforms have 1, 2 or 3 dimensions, got {dims}")
    return tuple(range(-dims, 0))
