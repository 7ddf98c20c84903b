"""The microscope of a simulation: voltage, aberrations, defocus; transfer functions on any frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.optics.contrast_transfer import CtfParameters, ctf


@dataclass(frozen=True, slots=True)
class Microscope:
    """What one field of view is imaged with; underfocus positive, angle from +x to defocus U."""

    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    defocus_u_angst: float = 15000.0
    defocus_v_angst: float = 15000.0
    defocus_angle_deg: float = 0.0
    phase_shift_deg: float = 0.0
    b_factor_a2: float = 60.0

    def transfer(self, frequencies_yx: Tensor, defocus_offset_angst: float = 0.0) -> Tensor:
        """CTF with envelope at frequencies (..., 2) in 1/Å, defocus changed by an offset; (...)."""
        parameters = CtfParameters.of(
            self.defocus_u_angst + defocus_offset_angst,
            self.defocus_v_angst + defocus_offset_angst,
            self.defocus_angle_deg,
            voltage_kv=self.voltage_kv,
            cs_mm=self.cs_mm,
            amplitude_contrast=self.amplitude_contrast,
            phase_shift_deg=self.phase_shift_deg,
            b_factor_a2=self.b_factor_a2,
        )
        return ctf(parameters, frequencies_yx)[0]


def frame_frequencies(shape_yx: tuple[int, int], pixel_size_angst: float) -> Tensor:
    """Frequencies (H, W//2+1, 2) as (y, x) in 1/Å of the half transform of a frame, float32."""
    ky = torch.from_numpy(np.fft.fftfreq(shape_yx[0], pixel_size_angst)).float()
    kx = torch.from_numpy(np.fft.rfftfreq(shape_yx[1], pixel_size_angst)).float()
    return torch.stack(torch.meshgrid(ky, kx, indexing="ij"), dim=-1)
