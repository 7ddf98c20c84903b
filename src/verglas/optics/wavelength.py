"""The relativistic wavelength of the imaging electrons."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

Number = TypeVar("Number", float, Tensor)


def electron_wavelength_angst(voltage_kv: Number) -> Number:
    """Wavelength in Å of electrons of an acceleration voltage in kV (0.01969 at 300); number or tensor.

    The constants are those of refinement.md §1.8, so that γ agrees with RELION's to all its digits.
    """
    volts = voltage_kv * 1e3
    return 12.2643247 * (volts * (1.0 + volts * 0.978466e-6)) ** -0.5
