"""Transforms of maps of which only low frequencies are wanted: each axis is cut before the next one.

A 512³ map low-passed at 15 Å keeps one frequency in a thousand; two of three passes cost next to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier.grid import Device


def band_spectrum(maps: Tensor, reach: int, dims: int = 3) -> Tensor:
    """Frequencies |k_i| <= reach (< N/2) of real arrays (..., N, N, N), divided by the number of pixels.

    (..., 2K+1, 2K+1, K+1) with rows in FFT order: 0..K, -K..-1.
    """
    size = int(maps.shape[-1])
    if not 0 <= 2 * reach < size:
        raise ValueError(f"a band of {reach} shells does not fit in a box of {size}")
    spectra = torch.fft.rfft(maps, dim=-1, norm="forward")[..., : reach + 1]
    rows = band_rows(reach, maps.device) % size
    for axis in range(-2, -dims - 1, -1):
        spectra = torch.fft.fft(spectra, dim=axis, norm="forward").index_select(axis, rows)
    return spectra


def from_band(spectra: Tensor, size: int, dims: int = 3) -> Tensor:
    """Real arrays (..., size, size, size) of what `band_spectrum` gives."""
    reach = int(spectra.shape[-1]) - 1
    rows = band_rows(reach, spectra.device) % size
    for axis in range(-dims, -1):
        shape = list(spectra.shape)
        shape[axis] = size
        grown = spectra.new_zeros(shape).index_copy_(axis, rows, spectra)
        spectra = torch.fft.ifft(grown, dim=axis, norm="forward")
    return torch.fft.irfft(spectra, n=size, dim=-1, norm="forward")


def band_rows(reach: int, device: Device = None) -> Tensor:
    """Frequencies of the rows of a band: 0..K, -K..-1."""
    return torch.cat([torch.arange(reach + 1), torch.arange(-reach, 0)]).to(device)


def band_radius(reach: int, dims: int = 3, device: Device = None) -> Tensor:
    """|k| of a band's frequencies, float64."""
    total = torch.arange(reach + 1, device=device).double().square()
    rows = band_rows(reach, device).double().square()
    for _ in range(dims - 1):
        total = rows.reshape(-1, *[1] * total.ndim) + total
    return total.sqrt()
