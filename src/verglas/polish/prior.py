"""How particles of one micrograph are expected to move: together where near, and smoothly in time.

Velocities are a Gaussian process over the micrograph, independent from frame to frame but for the penalty on
changes (refinement.md §10.12.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_SMALLEST_EIGENVALUE = 1e-10


@dataclass(frozen=True)
class MotionParameters:
    """The three numbers that people train, in RELION's units."""

    velocity_angst_per_dose: float = 0.5
    divergence_angst: float = 5000.0
    acceleration_angst_per_dose: float = 2.0  # not positive: no penalty on changes

    def __post_init__(self) -> None:
        if not (self.velocity_angst_per_dose > 0 and self.divergence_angst > 0):
            raise ValueError(
                f"the deviations of velocity and divergence must be positive, got "
                f"{self.velocity_angst_per_dose:g} Å/dose and {self.divergence_angst:g} Å"
            )

    def __str__(self) -> str:
        return (
            f"{self.velocity_angst_per_dose:g} {self.divergence_angst:g} {self.acceleration_angst_per_dose:g}"
        )


@dataclass(frozen=True, eq=False)
class MotionPrior:
    """Modes of motion, in which particles move independently of each other.

    In mode d, with places u_f (pixels of the particle images) in the frames, the prior costs
    Σ |u_{f+1} - u_f|² / variance_d + Σ |u_{f+2} - 2 u_{f+1} + u_f|² / acceleration².
    """

    modes: Array  # (P, P) orthonormal, one mode a column
    variances: Array  # (P,) of velocities, pixels² per frame²
    acceleration_px: float  # per frame²; infinite: no penalty on changes

    @classmethod
    def of(
        cls,
        places_angst: Array,  # (P, 2) on the micrograph
        parameters: MotionParameters,
        dose_per_frame_e_a2: float,
        pixel_size_angst: float,  # of the particle images
        *,
        squared_exponential: bool = False,
        most: int = -1,  # modes that may move; negative: all
    ) -> MotionPrior:
        """The prior of particles at these places. Velocities are in Å per unit of dose."""
        per_frame = dose_per_frame_e_a2 / pixel_size_angst
        apart = np.linalg.norm(places_angst[:, None] - places_angst[None], axis=-1)
        reach = parameters.divergence_angst
        course = np.exp(-((apart / reach) ** 2)) if squared_exponential else np.exp(-apart / reach)
        values, vectors = np.linalg.eigh((parameters.velocity_angst_per_dose * per_frame) ** 2 * course)
        values, vectors = values[::-1].copy(), np.ascontiguousarray(vectors[:, ::-1])
        if most > 0:
            values[most:] = 0
        acceleration = parameters.acceleration_angst_per_dose * per_frame
        return cls(
            vectors, np.maximum(values, _SMALLEST_EIGENVALUE), acceleration if acceleration > 0 else np.inf
        )

    def precision(self, frames: int) -> Array:
        """(P, F, F): the prior's energy of mode d is u precision_d u."""
        first = np.diff(np.eye(frames), axis=0)
        second = np.diff(np.eye(frames), n=2, axis=0)
        smooth = second.T @ second / self.acceleration_px**2
        found: Array = (first.T @ first)[None] / self.variances[:, None, None] + smooth
        return found
