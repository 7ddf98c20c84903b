"""Contrast transfer, aberrations and dose damage of the microscope."""

from verglas.optics.aberrations import odd_phase, split_beam_tilt
from verglas.optics.contrast_transfer import CtfParameters, ctf, ctf_phase
from verglas.optics.dose import critical_exposure_e_a2, dose_weights
from verglas.optics.mtf import mtf_at
from verglas.optics.wavelength import electron_wavelength_angst

__all__ = [
    "CtfParameters",
    "critical_exposure_e_a2",
    "ctf",
    "ctf_phase",
    "dose_weights",
    "electron_wavelength_angst",
    "mtf_at",
    "odd_phase",
    "split_beam_tilt",
]
