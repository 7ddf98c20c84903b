"""Power spectra of micrographs: the mean periodogram of overlapping tiles.

Tiles of one physical size (`box` x 1.4 Å or the micrograph's own pixel, whichever is larger) are
windowed, transformed and averaged; cropping their transforms makes the spectrum's pixel. Averaging
tiles instead of shrinking the transform of the whole image keeps the rings' contrast at high defocus
and costs a third.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from verglas.ctf.backend import backend_for
from verglas.ctf.periodogram import tile_starts

TARGET_PIXEL_ANGST = 1.4  # Nyquist 2.8 Å, beyond the ice ring at 3.7 Å


@dataclass(frozen=True)
class Spectrum:
    """Power of a micrograph in a half plane."""

    power: NDArray[np.float32]  # (box, box//2 + 1), zero frequency first
    pixel_size_angst: float  # Nyquist is half its inverse
    n_tiles: float  # independent tiles averaged: the noise of a value is value / sqrt(n_tiles)

    @property
    def box(self) -> int:
        return int(self.power.shape[0])


def micrograph_spectrum(
    micrograph: NDArray[np.floating],  # (h, w)
    pixel_size_angst: float,
    box: int = 512,
    device: str = "cpu",
) -> Spectrum:
    """Mean power spectrum of a micrograph. Raises ValueError when it is empty of signal or too small."""
    where = backend_for(device)
    image = where.image(np.asarray(micrograph))
    bad, flat = where.faults(image)
    if bad:
        raise ValueError(f"{bad} pixels are NaN or infinite; expected finite values")
    if flat:
        raise ValueError("all pixels have the same value; expected an image")
    target = max(TARGET_PIXEL_ANGST, pixel_size_angst)
    tile = min(scipy.fft.next_fast_len(round(box * target / pixel_size_angst), real=True), *image.shape)
    if tile < 64:
        raise ValueError(f"image of {image.shape[1]} x {image.shape[0]} pixels is too small for a CTF")
    tile -= tile % 2
    power = where.mean_periodogram(image, tile)
    independent = max(1.0, image.shape[0] * image.shape[1] / (tile * tile)) * 1.5
    tops, lefts = (tile_starts(length, tile) for length in image.shape)
    count = min(len(tops) * len(lefts), independent)
    size = min(tile, 2 * round(tile * pixel_size_angst / target / 2))
    cropped = crop_half_plane(power, size)
    return Spectrum(cropped, pixel_size_angst * tile / size, count)


def centred_spectrum(power: NDArray[np.floating], pixel_size_angst: float, n_tiles: float) -> Spectrum:
    """A spectrum stored as a centred square image (`_PS.mrc`), zero frequency at n//2."""
    size = power.shape[0]
    if power.ndim != 2 or power.shape[1] != size:
        raise ValueError(f"a power spectrum must be square, got {power.shape[1]} x {power.shape[0]}")
    unrolled = np.fft.ifftshift(np.asarray(power, np.float32))
    return Spectrum(unrolled[:, : size // 2 + 1].copy(), pixel_size_angst, n_tiles)


def crop_half_plane(power: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The central frequencies |ky|, kx <= size/2 of a half-plane array."""
    if size >= power.shape[0]:
        return power
    rows = np.r_[0 : size // 2, power.shape[0] - size // 2 : power.shape[0]]
    return np.ascontiguousarray(power[rows, : size // 2 + 1])
