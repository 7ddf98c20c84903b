"""Preparing particle images for the expectation step, in the order of refinement.md §1.12."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.pixels import PixelList, sums_by_shell
from verglas.em.images.transfer import ctf_parameters
from verglas.em.poses.helix import tube_background
from verglas.em.state.particles import Floats, Ints, OpticsGroup, Particles
from verglas.em.state.settings import EmSettings
from verglas.fourier import (
    centre_signs,
    forward,
    frequency_grid,
    inverse,
    shell_indices,
    shift_whole_pixels,
    used_shells,
)
from verglas.fourier.rounding import nearest_shells
from verglas.maps.masks import outside_weight
from verglas.optics.aberrations import odd_phase
from verglas.optics.contrast_transfer import ctf


@dataclass(frozen=True)
class Prepared:
    """Images of b particles at P pixels, and what is left of them outside."""

    masked: Tensor  # (b, P) complex: X, for likelihood, norm and noise
    unmasked: Tensor  # (b, P) complex: X°, for the back-projection
    ctf: Tensor  # (b, P) real; squared for premultiplied data
    power_outside: Tensor  # (b, S) power per model shell beyond the current size
    high_power: Tensor  # (b,) its sum: χ²_hi


class ImagePreparer:
    """Prepares images of one optics group at one current size."""

    def __init__(
        self,
        settings: EmSettings,
        optics: OpticsGroup,
        pixels: PixelList,
        n_model_shells: int,
        device: torch.device,
    ) -> None:
        self.settings, self.optics, self.pixels, self.device = settings, optics, pixels, device
        self.dtype = torch.float64 if settings.double else torch.float32
        self.n_model_shells = n_model_shells
        box = optics.box_size
        radius = mask_radius_px(settings, optics)
        self._mask = outside_weight(
            box, radius, settings.mask_edge_px, dtype=torch.float64, device=device
        ).to(self.dtype)
        self._signs = centre_signs(box, dtype=self.dtype, device=device).flatten()[pixels.flat]
        size = optics.pixel_size_angst
        grid = frequency_grid(box, size, dtype=self.dtype, device=device).reshape(-1, 2)
        self._frequencies = grid[pixels.flat]
        shells = used_shells(box, device).flatten()
        outside = (shells > pixels.size // 2).nonzero().flatten()
        self._outside = outside
        self._outside_shells = nearest_shells(shells[outside].double() * pixels.shell_ratio)
        self._modulation = demodulation(optics, self._frequencies)

    def prepare(
        self,
        images: Tensor,
        particles: Particles,
        rows: Ints,
        norm_factor: Floats,
        shifts_yx: Ints,
        noise: Tensor | None = None,
        psi_deg: Floats | None = None,
    ) -> Prepared:
        """Images (b, N, N) of particles `rows`: norm correction, whole-pixel shift, mask, transforms, CTF.

        `noise` (b, N, N) fills the outside of the mask; None: its mean. `psi_deg` (b,): how filaments lie.
        """
        factor = torch.as_tensor(norm_factor, dtype=self.dtype, device=self.device)
        moved = shift_whole_pixels(
            images.to(self.device, self.dtype), torch.as_tensor(shifts_yx, device=self.device)
        )
        moved = moved * factor[:, None, None]
        unmasked = forward(moved).flatten(1)
        tubes = None if psi_deg is None else tube_background(self.settings, self.optics, psi_deg)
        masked = apply_mask(moved, self._mask, noise, tubes)
        spectrum = forward(masked).flatten(1)
        power = spectrum[:, self._outside].abs().square()
        by_shell = sums_by_shell(power, self._outside_shells, self.n_model_shells)
        return Prepared(
            self._at_pixels(spectrum),
            self._at_pixels(unmasked),
            self.ctf(particles, rows),
            by_shell,
            power.sum(1),
        )

    def ctf(self, particles: Particles, rows: Ints) -> Tensor:
        """C at the P pixels (b, P); 1 without CTF correction, squared for premultiplied data."""
        if not self.settings.ctf:
            return torch.ones((len(rows), len(self.pixels)), dtype=self.dtype, device=self.device)
        optics, settings = self.optics, self.settings
        # a handful of numbers each: combined on the CPU, whatever the device, without waiting for it
        parameters = ctf_parameters(particles, rows, optics)
        values = ctf(
            parameters,
            self._frequencies,
            intact_first_peak=settings.ctf_intact_first_peak,
            phase_flipped=settings.ctf_phase_flipped,
            only_flip_phases=settings.only_flip_phases,
        )
        return values.square() if optics.ctf_premultiplied else values

    def _at_pixels(self, spectra: Tensor) -> Tensor:
        values = spectra[:, self.pixels.flat] * self._signs
        return values if self._modulation is None else values * self._modulation


def mask_radius_px(settings: EmSettings, optics: OpticsGroup) -> float:
    """Radius of the circular image mask, not rounded (refinement.md §1.11)."""
    diameter = settings.particle_diameter_angst
    if diameter <= 0:
        return (optics.box_size - settings.mask_edge_px) / 2
    return diameter / (2 * optics.pixel_size_angst)


def apply_mask(
    images: Tensor, background: Tensor, noise: Tensor | None = None, tubes: Tensor | None = None
) -> Tensor:
    """Replace the background of images (..., N, N) by its weighted mean, or by `noise`.

    `tubes` (b, N, N): what lies outside the tubes of filaments is background, too, and the mean is taken over
    it, in and beyond the circle, as RELION has it.
    """
    weight = background
    if tubes is not None:
        weight = tubes.to(background)
        background = torch.maximum(weight, background)
    if noise is None:
        axes = tuple(range(-weight.ndim if tubes is None else -2, 0))
        total = weight.sum(axes, keepdim=True)
        noise = (images * weight).sum(axes, keepdim=True) / total.clamp_min(1e-30)
    return images * (1 - background) + background * noise


def demodulation(optics: OpticsGroup, frequencies_yx: Tensor) -> Tensor | None:
    """exp(-iφ_odd) at the pixels: removes beam tilt and odd aberrations (§1.9); None where there are none."""
    if not optics.odd_zernike and optics.beam_tilt_mrad == (0.0, 0.0):
        return None
    u = frequencies_yx.double()
    if optics.magnification is not None:
        matrix = torch.tensor(optics.magnification, dtype=torch.float64, device=u.device)
        u = (u.flip(-1) @ matrix.reshape(2, 2).T).flip(-1)
    phase = odd_phase(
        u,
        optics.odd_zernike,
        beam_tilt_mrad_xy=optics.beam_tilt_mrad,
        voltage_kv=optics.voltage_kv,
        cs_mm=optics.cs_mm,
    ).to(frequencies_yx.dtype)
    return torch.polar(torch.ones_like(phase), -phase)


def noise_images(sigma2: Floats, box: int, seeds: Ints, device: torch.device) -> Tensor:
    """Noise with the spectrum σ²(s) per component, one image per seed; (b, N, N) float32 (§1.11)."""
    shells = shell_indices(box).clamp_max(len(sigma2) - 1).numpy()
    amplitude = np.sqrt(np.maximum(sigma2, 0))[shells]
    stack = np.empty((len(seeds), *shells.shape), np.complex64)
    for image, seed in zip(stack, seeds):
        rng = np.random.default_rng(seed)
        image.real = rng.standard_normal(shells.shape) * amplitude
        image.imag = rng.standard_normal(shells.shape) * amplitude
    return inverse(torch.from_numpy(stack).to(device), box)
