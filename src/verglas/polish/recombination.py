"""Polished particles: frames cut along their tracks, weighted and added (refinement.md §10.12.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.fourier import forward, inverse
from verglas.fourier.crop import crop_spectrum
from verglas.fourier.grid import row_indices
from verglas.fourier.gridding import crop_box
from verglas.particles import kernels
from verglas.polish.bands import waves
from verglas.polish.loops import add_shifted
from verglas.polish.movie_spectra import AT_ONCE

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OutputImages:
    """Boxes of the polished particles."""

    window_px: int  # in pixels of the movie
    scale_px: int  # the same box, in pixels of the images
    crop_px: int = 0  # cut out of that in the end; 0: not


def recombined(
    frames: Iterable[Array],
    places_yx: Array,  # (P, F, 2) particles in pixels of the movie
    weights: Tensor,  # (F, N, N//2+1) of `scale_px`
    images: OutputImages,
    transfer: Tensor | None = None,  # (P, N, N//2+1) CTF to multiply by
) -> Array:  # (P, N, N) float32
    """White particles with mean 0 and variance 1; no background is subtracted."""
    count = len(places_yx)
    side = images.scale_px
    total = torch.zeros((count, side, side // 2 + 1), dtype=torch.complex64)
    whole = np.round(places_yx).astype(np.int64)
    rest = torch.from_numpy((whole - places_yx) / images.window_px)
    rows, columns = row_indices(side).double(), torch.arange(side // 2 + 1).double()
    corners = whole - images.window_px // 2
    for number, frame in enumerate(frames):
        frame = np.ascontiguousarray(frame, np.float32)
        for start in range(0, count, AT_ONCE):
            part = slice(start, min(start + AT_ONCE, count))
            pixels = np.empty((part.stop - start, images.window_px, images.window_px), np.float32)
            kernels.cut_stack(frame, corners[part, number, 1], corners[part, number, 0], pixels)
            spectra = crop_spectrum(forward(torch.from_numpy(pixels)), side)
            shift = rest[part, number]
            along_y, along_x = waves(shift[:, :1] * rows), waves(shift[:, 1:] * columns)
            add_shifted(
                spectra.numpy(),
                along_y.numpy(),
                along_x.numpy(),
                weights[number].numpy(),
                total[part].numpy(),
            )
    return _finished(total, images, transfer)


def _finished(total: Tensor, images: OutputImages, transfer: Tensor | None) -> Array:
    if transfer is not None:
        total = total * transfer
    total[:, 0, 0] = 0
    made = -inverse(total, images.scale_px)
    deviation = made.square().mean(dim=(1, 2), keepdim=True).sqrt()
    if not bool((deviation > 0).all()):
        raise ValueError("a particle has no variance in any frame: it lies in a dead area")
    made = made / deviation
    if images.crop_px:
        made = crop_box(made, images.crop_px, 2)
    return np.asarray(made.contiguous().numpy(), np.float32)
