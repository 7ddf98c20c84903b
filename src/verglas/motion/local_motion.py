"""Motion that differs across the frame: RELION's polynomial model (pipeline.md §5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PatchShift:
    """Shift of one patch in one frame, local and global motion together, in recorded pixels."""

    frame: int  # counted from the first frame in use
    centre_yx: tuple[float, float]
    shift_yx: tuple[float, float]


@dataclass(frozen=True)
class LocalMotion:
    """Shift in addition to the global one: sum of c[a, b] a b over a in 1, x, x^2, y, y^2, xy and b in

    z, z^2, z^3, with x and y in fractions of the frame about its middle and z frames from the first one.
    """

    coefficients_yx: Array  # (2, 18): along y, along x; recorded pixels
