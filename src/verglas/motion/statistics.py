"""How far the specimen moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EARLY_DOSE_E_A2 = 4.0


@dataclass(frozen=True, slots=True)
class MotionStatistics:
    """Path length of the global track in Angstrom: in all, up to the early dose, after it."""

    total_angst: float
    early_angst: float
    late_angst: float


def motion_statistics(
    shifts_yx: Array,  # (M, 2) pixels
    pixel_size_angst: float,
    dose_per_frame_e_a2: float,
    pre_exposure_e_a2: float = 0.0,
    first_frame: int = 0,  # counted from 0
    early_dose_e_a2: float = EARLY_DOSE_E_A2,
) -> MotionStatistics:
    """Sum of the steps; a step counts as early if its second frame ends within the early dose."""
    steps = np.hypot(*np.diff(shifts_yx, axis=0).T) * pixel_size_angst
    cutoff = np.inf
    if dose_per_frame_e_a2 > 0:
        cutoff = (early_dose_e_a2 - pre_exposure_e_a2) / dose_per_frame_e_a2
    frames = first_frame + 2 + np.arange(len(steps))  # counted from 1
    early = float(steps[frames <= cutoff].sum())
    total = float(steps.sum())
    return MotionStatistics(total, early, total - early)
