"""What a CTF estimation is asked to do, and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Microscope:
    """The optics of one micrograph that are known beforehand."""

    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float

    def __post_init__(self) -> None:
        if not 0 <= self.amplitude_contrast < 1:
            raise ValueError(f"amplitude contrast must lie in [0, 1), got {self.amplitude_contrast}")
        if self.voltage_kv <= 0:
            raise ValueError(f"voltage must be positive, got {self.voltage_kv} kV")

    @property
    def wavelength_angst(self) -> float:
        """Relativistic electron wavelength (refinement.md §1.8)."""
        volts = self.voltage_kv * 1e3
        return 12.2643247 / math.sqrt(volts * (1 + 0.978466e-6 * volts))

    @property
    def amplitude_phase_rad(self) -> float:
        """Phase equivalent of the amplitude contrast."""
        return math.atan2(self.amplitude_contrast, math.sqrt(1 - self.amplitude_contrast**2))


@dataclass(frozen=True, slots=True)
class CtfSettings:
    """Search ranges (Å, degrees) and the part of the spectrum that is fitted."""

    box_size: int = 512
    resolution_min_angst: float = 30.0
    resolution_max_angst: float = 5.0
    defocus_min_angst: float = 5000.0
    defocus_max_angst: float = 50000.0
    defocus_step_angst: float = 500.0
    astigmatism_angst: float = 100.0  # tolerated: larger ones are found but must earn it
    search_phase_shift: bool = False
    phase_min_deg: float = 0.0
    phase_max_deg: float = 180.0
    phase_step_deg: float = 10.0

    def __post_init__(self) -> None:
        if not self.resolution_min_angst > self.resolution_max_angst > 0:
            raise ValueError(
                f"the resolution range must run from low to high (30 to 5 Å), got "
                f"{self.resolution_min_angst} to {self.resolution_max_angst} Å"
            )
        if not 0 <= self.defocus_min_angst < self.defocus_max_angst:
            raise ValueError(
                f"the defocus range must be increasing and positive, got "
                f"{self.defocus_min_angst} to {self.defocus_max_angst} Å"
            )
        if self.box_size < 64 or self.box_size % 2:
            raise ValueError(f"the box must be even and at least 64 pixels, got {self.box_size}")


@dataclass(frozen=True, slots=True)
class CtfFit:
    """The fitted CTF of one micrograph. U >= V; the angle runs from the X axis to U."""

    defocus_u_angst: float
    defocus_v_angst: float
    angle_deg: float
    phase_shift_deg: float
    figure_of_merit: float  # correlation of the spectrum with |CTF|, as the field reports it
    resolution_angst: float  # to where the rings are followed
    reliability: float  # 0..1: is this the right minimum at all
    ice_ring: float  # strength of the 3.7 Å ring over its surroundings, 0 for none

    @property
    def astigmatism_angst(self) -> float:
        return self.defocus_u_angst - self.defocus_v_angst
