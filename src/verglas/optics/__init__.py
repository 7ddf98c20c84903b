"""Contrast transfer, aberrations and dose damage of the microscope."""

from verglas.optics.ctf import CtfParameters, ctf, ctf_phase
from verglas.optics.wavelength import electron_wavelength_angst

__all__ = ["CtfParameters", "ctf", "ctf_phase", "electron_wavelength_angst"]
