"""Stacks of single particles: projections with CTF, shift and noise, as extraction would leave them.

Particles are white; the noise around them has mean 0 and variance 1. Every block of particles has its own
random sequence, so images do not depend on how many are made at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.geometry.euler import euler_matrices
from verglas.optics.aberrations import odd_phase
from verglas.optics.contrast_transfer import CtfParameters, ctf
from verglas.simulate.background import ice_amplitude
from verglas.simulate.optics import frame_frequencies
from verglas.simulate.projection import AtomProjector
from verglas.simulate.scattering import interaction_constant

BLOCK = 256  # particles that share a random sequence
_SCALE_SAMPLE = 256  # particles that the signal's strength is measured on


@dataclass(frozen=True, slots=True)
class ParticleTruth:
    """What every particle is: n rows."""

    eulers_deg: NDArray[np.float64]  # (n, 3)
    shifts_yx_angst: NDArray[np.float64]  # (n, 2): where the particle sits, from the box centre
    classes: NDArray[np.int64]  # (n,) from 0: view or model
    models: NDArray[np.int64]  # (n,) which projector
    defocus_u_angst: NDArray[np.float64]
    defocus_v_angst: NDArray[np.float64]
    defocus_angle_deg: NDArray[np.float64]
    defocus_offset_angst: NDArray[np.float64] | float = 0.0  # of each from its micrograph's

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, slots=True)
class ParticleImaging:
    """How they are seen. Either `snr`, or a dose with which the noise is that of counting."""

    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    b_factor_a2: float = 120.0
    ctf: bool = True
    snr: float = 0.05
    dose_e_a2: float = 0.0
    ice_thickness_angst: float = 0.0
    ice_noise: float = 0.6
    phase_shift_deg: float = 0.0
    beam_tilt_mrad: tuple[float, float] = (0.0, 0.0)  # x, y
    odd_zernike: tuple[float, ...] = ()
    even_zernike: tuple[float, ...] = ()
    magnification: tuple[float, float, float, float] | None = None  # xx, xy, yx, yy: measured to true

    def __post_init__(self) -> None:
        if self.ice_thickness_angst > 0 and self.dose_e_a2 <= 0:
            raise ValueError("the noise of ice has a strength only beside a dose: give the dose too")


class ParticleMaker:
    """Makes the images of a truth; all projectors share box, pixel size and device."""

    def __init__(
        self,
        projectors: list[AtomProjector],
        truth: ParticleTruth,
        imaging: ParticleImaging,
        seed: int,
        batch: int = 0,
    ) -> None:
        self.projectors = projectors
        self.truth = truth
        self.imaging = imaging
        self.seed = seed
        self.device = projectors[0].device
        self.batch = batch or (16 if self.device.type == "cpu" else BLOCK)
        settings = projectors[0].settings
        self.box, self.pixel = settings.box, settings.pixel_size_angst
        self._frequencies = frame_frequencies((self.box, self.box), self.pixel).to(self.device)
        self._distortion = None if imaging.magnification is None else _matrix(imaging.magnification)
        self._modulation = self._odd_modulation()
        self.scale = self._signal_scale()

    def blocks(self) -> Iterator[Tensor]:
        """Images (m, box, box) float32 on the device, block by block, in order."""
        for number, begin in enumerate(range(0, len(self.truth), BLOCK)):
            rows = np.arange(begin, min(begin + BLOCK, len(self.truth)))
            yield self._noisy(rows, number)

    def signal(self, rows: NDArray[np.int64]) -> Tensor:
        """Noise-free images (m, box, box) of some particles, scaled as in the stack."""
        return self._images(self._spectra(rows)) * self.scale

    def _noisy(self, rows: NDArray[np.int64], block: int) -> Tensor:
        words = np.random.SeedSequence(self.seed, spawn_key=(block,)).generate_state(2, np.uint32)
        generator = torch.Generator(self.device)
        generator.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
        shape = (len(rows), self.box, self.box)
        images = self.signal(rows)
        if self.imaging.ice_thickness_angst > 0:
            noise, variance = self._ice(rows, generator)
            images += noise
            images += torch.randn(shape, generator=generator, device=self.device)
            return images / torch.sqrt(1 + variance)
        return images.add_(torch.randn(shape, generator=generator, device=self.device))

    def _spectra(self, rows: NDArray[np.int64]) -> Tensor:
        """CTF-affected projections, V Å, white: (m, box, box//2+1)."""
        out = torch.empty(len(rows), self.box, self.box // 2 + 1, dtype=torch.complex64, device=self.device)
        matrices = euler_matrices(self.truth.eulers_deg[rows]).to(self.device)
        if self._distortion is not None:  # F(Mk) is the transform of what lies at M^T x
            matrices[:, :2] = self._distortion.T.to(matrices) @ matrices[:, :2]
        shifts = torch.as_tensor(self.truth.shifts_yx_angst[rows], device=self.device)
        for index, projector in enumerate(self.projectors):
            mine = np.flatnonzero(self.truth.models[rows] == index)
            for begin in range(0, len(mine), self.batch):
                part = torch.from_numpy(mine[begin : begin + self.batch]).to(self.device)
                out[part] = projector.spectra(matrices[part], shifts[part])
        out *= self._transfer(rows)
        return out if self._modulation is None else out * self._modulation

    def _transfer(self, rows: NDArray[np.int64]) -> Tensor:
        i, t = self.imaging, self.truth
        if not i.ctf:
            squared = self._frequencies.square().sum(-1)
            return torch.exp(-i.b_factor_a2 / 4 * squared)[None]
        parameters = CtfParameters.of(
            t.defocus_u_angst[rows],
            t.defocus_v_angst[rows],
            t.defocus_angle_deg[rows],
            voltage_kv=i.voltage_kv,
            cs_mm=i.cs_mm,
            amplitude_contrast=i.amplitude_contrast,
            b_factor_a2=i.b_factor_a2,
            phase_shift_deg=i.phase_shift_deg,
            even_zernike=[i.even_zernike] if i.even_zernike else None,
            magnification=None if self._distortion is None else self._distortion[None],
            device=self.device,
        )
        return ctf(parameters, self._frequencies)

    def _odd_modulation(self) -> Tensor | None:
        """exp(iφ) of beam tilt and odd aberrations; None without them."""
        i = self.imaging
        if i.beam_tilt_mrad == (0.0, 0.0) and not i.odd_zernike:
            return None
        true = self._frequencies.double()
        if self._distortion is not None:
            true = (true.flip(-1) @ self._distortion.T.to(true)).flip(-1)
        phase = odd_phase(
            true, i.odd_zernike, beam_tilt_mrad_xy=i.beam_tilt_mrad, voltage_kv=i.voltage_kv, cs_mm=i.cs_mm
        ).float()
        return torch.polar(torch.ones_like(phase), phase)

    def _images(self, spectra: Tensor) -> Tensor:
        return torch.fft.irfft2(spectra, s=(self.box, self.box), norm="forward")

    def _signal_scale(self) -> float:
        """Factor from V Å to units of the noise."""
        i = self.imaging
        if i.dose_e_a2 > 0:
            electrons = i.dose_e_a2 * self.pixel**2
            return 2 * interaction_constant(i.voltage_kv) * float(np.sqrt(electrons))
        radius = max(p.diameter_angst for p in self.projectors) / 2 / self.pixel
        y, x = (torch.arange(self.box, device=self.device) - self.box // 2 for _ in range(2))
        inside = y[:, None] ** 2 + x[None] ** 2 <= radius**2
        rows = np.linspace(0, len(self.truth) - 1, min(len(self.truth), _SCALE_SAMPLE)).astype(int)
        variance = self._images(self._spectra(rows))[:, inside].var(dim=1).mean()
        return float(np.sqrt(i.snr / max(float(variance), 1e-30)))

    def _ice(self, rows: NDArray[np.int64], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Noise images of the ice in units of the counting noise, and their variances (m, 1, 1)."""
        i = self.imaging
        s = self._frequencies.square().sum(-1).sqrt().cpu().numpy()
        amplitude = ice_amplitude(s, self.pixel, i.ice_thickness_angst, i.ice_noise)
        filters = torch.from_numpy(amplitude).to(self.device) * self._transfer(rows) * self.scale
        white = torch.randn(len(rows), self.box, self.box, generator=generator, device=self.device)
        noise = torch.fft.irfft2(torch.fft.rfft2(white) * filters, s=(self.box, self.box))
        weights = torch.full((self.box // 2 + 1,), 2.0, device=self.device)
        weights[0] = 1
        weights[-1] = 1 if self.box % 2 == 0 else 2
        variance = (filters.square() * weights).sum(dim=(-2, -1)) / self.box**2
        return noise, variance[:, None, None]


def _matrix(values: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(2, 2)
