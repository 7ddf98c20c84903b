"""Helical tubes: segments along start-end pairs, and backgrounds beside the tube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verglas.particles.background import Array

_FIRST = 0.01  # of a step from the start, where the reference program puts the first segment


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Segments of the tubes of one micrograph, in order along each tube."""

    xy: Array  # (n, 2) micrograph pixels
    tube: Array  # (n,) number of the tube, from 1
    psi_deg: Array  # (n,) in-plane angle of the tube, as a prior: minus its direction
    track_angst: Array  # (n,) length along the tube


def segments_of_tubes(
    ends_xy: Array,  # (tubes, 2, 2): start and end, each x, y
    pixel_size_angst: float,
    step_angst: float | None,
) -> Segments:
    """Segments every `step_angst` from the start of each tube; None: one in its middle.

    Raises ValueError for a step that is not positive, or a tube without length.
    """
    if step_angst is not None and not step_angst > 0:
        raise ValueError(f"the step along a tube must be positive, got {step_angst:g} Å")
    found = [
        _one_tube(np.asarray(ends, dtype=np.float64), pixel_size_angst, step_angst, number)
        for number, ends in enumerate(ends_xy, start=1)
    ]
    if not found:
        return Segments(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    xy, tube, psi, track = (np.concatenate(parts) for parts in zip(*found))
    return Segments(xy, tube, psi, track)


def _one_tube(
    ends: Array, pixel: float, step_angst: float | None, number: int
) -> tuple[Array, Array, Array, Array]:
    start, along = ends[0], ends[1] - ends[0]
    length = float(np.hypot(*along))
    if not length > 0:
        raise ValueError(f"tube {number} has no length: it starts and ends at {tuple(start)}")
    psi = -np.degrees(np.arctan2(along[1], along[0]))
    if step_angst is None:
        middle = start + along / 2
        return middle[None], np.array([number]), np.array([psi]), np.zeros(1)
    step = step_angst / pixel
    position = np.arange(_FIRST * step, length, step)
    xy = start + position[:, None] * (along / length)
    count = len(position)
    return xy, np.full(count, number), np.full(count, psi), np.arange(count) * step_angst


def beside_tube(size: int, radius_px: float, psi_deg: float) -> Array:  # (size, size) bool
    """Background of a segment: pixels farther from the tube's axis than its radius."""
    angle = -np.radians(psi_deg)
    position = np.arange(size) - size // 2
    across = -position[None] * np.sin(angle) + position[:, None] * np.cos(angle)
    return np.abs(across) > radius_px


def normalise_beside_tubes(
    images: Array,  # (n, size, size) float32, changed in place
    psi_deg: Array,  # (n,)
    radius_px: float,
    *,
    ramp: bool = True,
    sign: float = 1.0,
) -> None:
    """Background plane (or mean) 0 and deviation 1, the background lying beside each tube.

    Raises ValueError naming the first segment without a background, or with one of no variance.
    """
    size = images.shape[-1]
    position = np.arange(size, dtype=np.float64) - size // 2
    x, y = np.meshgrid(position, position)
    for number, (image, psi) in enumerate(zip(images, psi_deg), start=1):
        mask = beside_tube(size, radius_px, float(psi))
        if mask.sum() < 10:
            raise ValueError(
                f"a tube of radius {radius_px:.1f} px leaves no background in a box of {size} px"
            )
        values = image[mask].astype(np.float64)
        columns = [x[mask], y[mask], np.ones(len(values))] if ramp else [np.ones(len(values))]
        fitted = np.linalg.lstsq(np.stack(columns, 1), values, rcond=None)[0]
        a, b, c = fitted if ramp else (0.0, 0.0, fitted[0])
        deviation = (values - (a * x[mask] + b * y[mask] + c)).std()
        if not deviation > 0:
            raise ValueError(f"segment {number} has no variance in its background")
        image -= (a * x + b * y + c).astype(np.float32)
        image *= np.float32(sign / deviation)
