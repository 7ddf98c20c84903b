"""Particles in the frames of one movie: cut out along their first tracks, as bands of their transforms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.fourier import forward
from verglas.particles import kernels
from verglas.polish.bands import FrequencyBand
from verglas.polish.loops import add_power

Array = np.ndarray[Any, Any]
MOST_BYTES = 800e6  # of transforms in single precision; more are kept in half precision
AT_ONCE = 32  # windows whose transforms are made together: they stay in the cache


@dataclass(frozen=True, eq=False)
class MovieSpectra:
    """Transforms of P particles in F frames, each centred on its first track; white particles."""

    band: FrequencyBand
    values: Tensor  # (P, F, 2r+1, r+1) complex64, or (..., 2) float16 of values / unit
    power: Tensor  # (F, r+1) float64: sums of |X|² over particles, in shells of the whole plane
    box_px: int  # of the particle images that predictions are made for
    unit: float = 1.0

    @property
    def n_frames(self) -> int:
        return int(self.values.shape[1])

    def of(self, particle: int) -> Tensor:
        """The transforms (F, 2r+1, r+1) complex64 of one particle."""
        values = self.values[particle]
        return values if values.is_complex() else torch.view_as_complex(values.float() * self.unit)

    def noise(self) -> Tensor:
        """Mean power (r+1,) float64 by shell, of all particles and frames."""
        counts = self.band.shell_counts * (self.values.shape[0] * self.n_frames)
        return self.power.sum(0) / counts.clamp_min(1)


@dataclass(frozen=True)
class Cutting:
    """How windows are cut: side in pixels of the movie, side of the particle images, frequencies kept."""

    window_px: int
    box_px: int
    band: FrequencyBand


def movie_spectra(frames: Iterable[Array], centres_yx: Array, cutting: Cutting) -> MovieSpectra:
    """Cut and transform. `centres_yx` (P, F, 2): where each particle should be, in pixels of the movie.

    Windows are cut at whole pixels, the rest is shifted in Fourier space; outside the frame its edge
    repeats. The scale is that of normalised particles: the noise of the sum over frames has variance 1.
    """
    count, n_frames = centres_yx.shape[:2]
    shape = (count, n_frames, *cutting.band.shape)
    is_large = 8 * math.prod(shape) > MOST_BYTES
    values = (
        torch.empty((*shape, 2), dtype=torch.float16)
        if is_large
        else torch.empty(shape, dtype=torch.complex64)
    )
    unit = 1.0
    power = torch.zeros((n_frames, *cutting.band.shape), dtype=torch.float64)
    used = 0
    for frame, image in enumerate(frames):
        cut = cut_frame(image, centres_yx[:, frame], cutting)
        if is_large:
            unit = float(cut.abs().mean()) if frame == 0 else unit
            values[:, frame] = torch.view_as_real(cut / max(unit, 1e-30))
        else:
            values[:, frame] = cut
        add_power(cut.numpy(), power[frame].numpy())
        used += 1
    if used != n_frames:
        raise ValueError(f"the movie has {used} frames, {n_frames} were expected")
    by_shell = cutting.band.shell_sums(power)
    mean = float(by_shell.sum() / (cutting.band.shell_counts.sum() * count * n_frames))
    if not mean > 0:
        raise ValueError("the particles have no variance in the movie")
    scale = 1 / (cutting.box_px * float(np.sqrt(n_frames * mean)))
    if not is_large:
        values *= scale
    return MovieSpectra(cutting.band, values, by_shell * scale**2, cutting.box_px, unit * scale)


def cut_frame(image: Array, centres_yx: Array, cutting: Cutting) -> Tensor:
    """Bands (P, 2r+1, r+1) of windows about places (P, 2) of one frame, contrast inverted."""
    window, band = cutting.window_px, cutting.band
    whole = np.round(centres_yx).astype(np.int64)
    rest = torch.from_numpy((whole - centres_yx) / window)
    corners = whole - window // 2
    image = np.ascontiguousarray(image, np.float32)
    found = torch.empty((len(whole), *band.shape), dtype=torch.complex64)
    pixels = np.empty((min(AT_ONCE, len(whole)), window, window), np.float32)
    for start in range(0, len(whole), AT_ONCE):
        part = slice(start, min(start + AT_ONCE, len(whole)))
        block = pixels[: part.stop - start]
        kernels.cut_stack(image, corners[part, 1], corners[part, 0], block)
        spectra = band.take(forward(torch.from_numpy(block)))
        found[part] = spectra * -band.ramps(rest[part])
    return found
