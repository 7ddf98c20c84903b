"""The noise spectrum of a micrograph, measured where there are the fewest particles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

QUIET_FRACTION = 0.1  # of the patches: with fewer, the estimate is noisy; with more, particles join in
LEAST_PATCHES = 4


def frequency_radius(shape: tuple[int, int], pixel_size_angst: float, device: torch.device) -> Tensor:
    """(rows, columns//2+1) spatial frequency of each half-transform pixel in 1/Å."""
    ky = torch.fft.fftfreq(shape[0], pixel_size_angst, device=device)
    kx = torch.fft.rfftfreq(shape[1], pixel_size_angst, device=device)
    return torch.sqrt(ky[:, None] ** 2 + kx[None] ** 2)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSpectrum:
    """Power of the background against frequency, per pixel of the image it was measured on."""

    ring_power: Tensor  # (rings,)
    ring_spacing: float  # 1/Å between rings

    def at(self, frequency: Tensor) -> Tensor:
        """Power at spatial frequencies in 1/Å (any shape); the ends continue."""
        log_power = torch.log(self.ring_power.clamp(min=1e-12)).to(frequency.device)
        return torch.exp(_interpolate(log_power, frequency / self.ring_spacing))


def noise_spectrum(
    image: Tensor, pixel_size_angst: float, patch_px: int, hidden: Tensor | None = None
) -> NoiseSpectrum:
    """The spectrum of what is not particle, for an image that was normalised locally.

    Hann-windowed patches, half overlapping, are ranked by their power at low frequency (where particles
    are); the quietest tenth is averaged on rings. In a field full of particles that is an upper bound,
    which is what a detector wants there: neighbours are clutter. Patches with `hidden` pixels (bool), which
    are flat, are left out where there are others.
    """
    patch_px = min(patch_px, min(image.shape)) // 2 * 2
    power = _patch_power(image, patch_px)  # (patches, rings)
    if hidden is not None:
        clean = ~_patches(hidden, patch_px).flatten(1).any(1)
        power = power[clean] if int(clean.sum()) >= LEAST_PATCHES else power
    low = power[:, 1:6].sum(1)
    quiet = max(LEAST_PATCHES, round(QUIET_FRACTION * len(power)))
    ring_power = power[torch.argsort(low)[:quiet]].mean(0)
    ring_power[0] = ring_power[1]  # the patch mean was taken out
    return NoiseSpectrum(ring_power, 1.0 / (patch_px * pixel_size_angst))


def _patches(image: Tensor, n: int) -> Tensor:  # (patches, n, n), half overlapping
    return image.unfold(0, n, n // 2).unfold(1, n, n // 2).reshape(-1, n, n)


def _patch_power(image: Tensor, n: int) -> Tensor:
    patches = _patches(image, n)
    window = torch.hann_window(n, periodic=False, device=image.device)
    taper = window[:, None] * window[None]
    taper = taper / torch.sqrt((taper**2).mean())
    flat = (patches - patches.mean((1, 2), keepdim=True)) * taper
    power = torch.fft.rfft2(flat).abs() ** 2 / n**2
    radius = frequency_radius((n, n), 1.0 / n, image.device)
    ring = torch.round(radius).long().reshape(-1)
    count = torch.bincount(ring).to(power.dtype)
    sums = torch.zeros(len(power), len(count), device=image.device, dtype=power.dtype)
    sums.index_add_(1, ring, power.reshape(len(power), -1))
    return sums / count


def _interpolate(values: Tensor, position: Tensor) -> Tensor:
    """Linear interpolation of (n,) values at fractional indices; the ends continue."""
    position = position.clamp(0, len(values) - 1)
    low = position.floor().long().clamp(max=len(values) - 2)
    part = position - low
    return values[low] * (1 - part) + values[low + 1] * part
