"""New coordinates for particles that a refinement shifted (refinement.md §10.5)."""

from __future__ import annotations

import numpy as np

from verglas.particles.background import Array


def recentred(
    xy: Array,  # (n, 2) micrograph pixels
    origins_angst: Array,  # (n, 2) x, y: shifts that bring the particles to their box centres
    rotations: Array,  # (n, 3, 3) A of each particle
    centre_angst: Array,  # (3,) x, y, z of the new centre in the reference, from its middle
    micrograph_pixel_angst: float,
) -> tuple[Array, Array]:
    """Coordinates moved by whole pixels, and the fractions of a pixel that remain as origins (Å)."""
    projected = np.asarray(rotations)[:, :2, :] @ np.asarray(centre_angst, dtype=np.float64)
    shift = (np.asarray(origins_angst) - projected) / micrograph_pixel_angst
    whole = _half_away_from_zero(shift)
    return np.asarray(xy) - whole, (shift - whole) * micrograph_pixel_angst


def _half_away_from_zero(values: Array) -> Array:
    """Rounding as C does it; NumPy's goes to even."""
    return np.trunc(values + np.copysign(0.5, values))
