"""What comes of a movie: its motion, and the images that were corrected for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verglas.motion.local_motion import LocalMotion, PatchShift
from verglas.motion.statistics import MotionStatistics

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Motion:
    """How a movie moved, as shifts to apply, in pixels of the recorded movie."""

    shape_yx: tuple[int, int]
    n_frames: int  # of the movie, not only those in use
    first_frame: int  # counted from 0
    shifts_yx: Array  # (frames in use, 2), zero for the first
    hot_pixels_yx: Array  # (n, 2)
    statistics: MotionStatistics
    local: LocalMotion | None = None
    patch_shifts: tuple[PatchShift, ...] = ()
    expected_rms_px: float = 0.0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorrectedMovie:
    """Images, (y, x) float32, and the motion they were corrected for."""

    motion: Motion
    image: Array  # dose-weighted if that was asked for, else the plain sum
    unweighted: Array | None
    odd: Array | None
    even: Array | None
    spectrum: Array | None
    spectrum_pixel_angst: float
    pixel_size_angst: float  # after binning
