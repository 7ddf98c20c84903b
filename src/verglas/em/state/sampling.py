"""How finely poses are searched: steps, ranges and the random perturbation of the grid (refinement.md §2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from verglas.em.state.settings import EmSettings

DIRECTION_STEP_DEG = 360.0 / 6  # of order 0


@dataclass(frozen=True)
class Steps:
    """What the user asked for, while the steps in use may be others."""

    healpix_order: int
    psi_step_deg: float
    offset_range_angst: float
    offset_step_angst: float


@dataclass(frozen=True)
class Sampling:
    """Steps of the coarse grid and the state of its random perturbation; lengths in Å."""

    dims: int
    oversampling: int
    psi_step_deg: float
    offset_range_angst: float
    offset_step_angst: float
    healpix_order: int = 2
    symmetry: str = "C1"
    limit_tilt_deg: float = -91.0
    perturb: float = 0.5
    perturbation: float = 0.0  # in [-perturb, perturb]
    asked: Steps | None = None  # None: the steps in use
    local_sigma_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rot, tilt, psi; 0: searched globally

    @property
    def is_local(self) -> bool:
        """Whether orientations are searched around those of the last iteration."""
        return max(self.local_sigma_deg) > 0

    @property
    def original(self) -> Steps:
        """The steps the user asked for."""
        return self.asked or Steps(
            self.healpix_order, self.psi_step_deg, self.offset_range_angst, self.offset_step_angst
        )

    def as_asked(self) -> Sampling:
        """The sampling with the steps the user asked for."""
        asked = self.original
        return replace(
            self,
            healpix_order=asked.healpix_order,
            psi_step_deg=asked.psi_step_deg,
            offset_range_angst=asked.offset_range_angst,
            offset_step_angst=asked.offset_step_angst,
            asked=asked,
        )

    @classmethod
    def of(cls, settings: EmSettings, pixel_size_angst: float) -> Sampling:
        """The sampling a run starts with."""
        direction_step = DIRECTION_STEP_DEG / 2**settings.healpix_order
        default_step = 10.0 if settings.dims == 2 else direction_step
        fixed = settings.skip_align or settings.skip_rotate
        asked = Steps(
            settings.healpix_order,
            settings.psi_step_deg if settings.psi_step_deg > 0 else default_step,
            settings.offset_range_px * pixel_size_angst,
            settings.offset_step_px * pixel_size_angst,
        )
        return cls(
            dims=settings.dims,
            oversampling=0 if settings.skip_align else settings.oversampling,
            psi_step_deg=asked.psi_step_deg,
            offset_range_angst=asked.offset_range_angst,
            offset_step_angst=asked.offset_step_angst,
            healpix_order=asked.healpix_order,
            asked=asked,
            symmetry=settings.symmetry,
            limit_tilt_deg=settings.limit_tilt_deg,
            perturb=0.0 if fixed else settings.perturb,
            local_sigma_deg=settings.local_sigma_deg if settings.dims == 3 else (0.0, 0.0, 0.0),
        )

    def perturbed(self, rng: np.random.Generator) -> Sampling:
        """The sampling of the next iteration: the same grid, moved by a new random fraction of a step."""
        if self.perturb <= 0:
            return self
        moved = self.perturbation + rng.uniform(0.5 * self.perturb, self.perturb)
        if moved > self.perturb:
            moved -= 2 * self.perturb
        return replace(self, perturbation=moved)

    @property
    def angular_step_deg(self) -> float:
        """The coarse step that decides how much detail the first pass can tell apart."""
        if self.dims == 2:
            return 360.0 / self.n_psi
        return DIRECTION_STEP_DEG / 2**self.healpix_order

    @property
    def n_psi(self) -> int:
        return math.ceil(360.0 / self.psi_step_deg - 1e-9)

    @property
    def fine_angular_step_deg(self) -> float:
        return self.angular_step_deg / 2**self.oversampling

    @property
    def fine_offset_step_angst(self) -> float:
        return self.offset_step_angst / 2**self.oversampling
