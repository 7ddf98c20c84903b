"""First alignment: cross-correlation of every frame with the sum of the others (refinement.md §10.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from verglas.motion.band import Band
from verglas.motion.devices.interface import Stack

Array = np.ndarray[Any, Any]
LARGEST_INDEX = 256  # Fourier pixels that are enough for a first alignment, in either direction
LEAST_WEIGHT = 1e-2  # frequencies that the B-factor leaves less than this are not looked at
CONVERGED_PX = 0.5
FAR_GRID_PX = 2.0  # changes within the width of a correlation peak need no second thought
FALSE_ALARM = 1e-3
_MAX_FRACTION = 0.9  # of half the image: further away a shift and its wrap-around are the same


@dataclass(frozen=True)
class CoarseShifts:
    """Shifts relative to the first image, and which of them stand out of the noise."""

    shifts_yx: Array  # (M, 2) pixels
    found: Array  # (M,) bool: the correlation maximum is no accident


def coarse_shifts(
    stack: Stack[Any], bfactor_px2: float, max_shift_px: float, max_iterations: int
) -> CoarseShifts:
    """Shifts by the maximum of B-factor weighted correlations, iterated until they move < 0.5 px rms.

    Images whose maximum does not stand out get the shift between those of their neighbours.
    """
    damped = float(np.sqrt(-np.log(LEAST_WEIGHT) / (2 * bfactor_px2)))
    limit = min(stack.band.limit, damped, LARGEST_INDEX / max(stack.band.extent_yx))
    band = Band.of(stack.band.extent_yx, limit)  # type: ignore[arg-type]
    transforms = stack.low(band)
    weight = np.where(band.rings > 0, np.exp(-2 * bfactor_px2 * band.radii**2), 0)
    weight = (weight * band.takes_part("fit")[:, None]).astype(np.float32)
    shifts, n_images = np.zeros((len(stack), 2)), len(stack)
    # An image measured against the others' mean is off by M / (M - 1) times its offset from the whole mean;
    # two halves of a movie that see each other may even swap places, and half the way brings them together.
    steps = ((n_images - 1) / n_images, 0.5)
    moved = transforms
    for _ in range(max_iterations):
        total = np.sum(moved, axis=0)
        peaks = [_peak(band, (total - one) * one.conj() * weight, max_shift_px) for one in moved]
        found = np.array([peak.stands_out for peak in peaks])
        change = _interpolated(np.array([peak.shift_yx for peak in peaks]), found)
        change -= change[0]
        far = np.sqrt((change**2).sum(axis=1).mean()) > FAR_GRID_PX * band.scale_yx.max()
        trials = [_moved(band, transforms, shifts + step * change) for step in (steps if far else steps[:1])]
        best = 0
        if far:
            powers = [(weight * np.abs(np.sum(trial, axis=0)) ** 2).sum() for trial in trials]
            best = int(np.argmax(powers))
        moved, shifts = trials[best], shifts + steps[best] * change
        if steps[best] * np.sqrt((change**2).sum(axis=1).mean()) < CONVERGED_PX:
            break
    return CoarseShifts(shifts, found)


def _moved(band: Band, images: Array, shifts: Array) -> Array:
    return np.stack([_shift(band, image, shift) for image, shift in zip(images, shifts)])


def _interpolated(values: Array, known: Array) -> Array:  # (M, 2), (M,)
    """Unknown rows replaced by linear interpolation; all zero where nothing is known."""
    if known.all() or not known.any():
        return values * known.any()
    index = np.arange(len(values))
    columns = [np.interp(index, index[known], column[known]) for column in values.T]
    return np.stack(columns, axis=1)


def _shift(band: Band, image: Array, shift_yx: Array) -> Array:
    along_y = np.exp(-2j * np.pi * band.frequencies_y * shift_yx[0]).astype(np.complex64)
    along_x = np.exp(-2j * np.pi * band.frequencies_x * shift_yx[1]).astype(np.complex64)
    return image * along_y[:, None] * along_x


@dataclass(frozen=True)
class _Peak:
    shift_yx: tuple[float, float]
    stands_out: bool


def _peak(band: Band, product: Array, max_shift_px: float) -> _Peak:
    """The correlation maximum within the search range, by parabolas through 3 points.

    It stands out if noise of the map's own deviation would reach it in one of a thousand such searches.
    """
    correlation = fft.irfft2(product, band.grid_yx)
    scale = band.scale_yx.tolist()
    window = []
    for step, size in zip(scale, band.grid_yx):
        reach = max(1, min(int(max_shift_px / step), int(_MAX_FRACTION * size / 2)))
        window.append(np.r_[0 : reach + 1, -reach:0])
    part = correlation[np.ix_(*window)]
    row, column = np.unravel_index(part.argmax(), part.shape)
    y, x = int(window[0][row]), int(window[1][column])
    here = correlation[y, x]
    height, width = band.grid_yx
    dy = _vertex(correlation[y - 1, x], here, correlation[(y + 1) % height, x])
    dx = _vertex(correlation[y, x - 1], here, correlation[y, (x + 1) % width])
    limit = np.sqrt(2 * np.log(part.size / FALSE_ALARM)) * correlation.std()
    return _Peak(((y + dy) * scale[0], (x + dx) * scale[1]), bool(here > limit > 0))


def _vertex(before: float, here: float, after: float) -> float:
    curvature = before - 2 * here + after
    return 0.0 if curvature >= 0 else float(0.5 * (before - after) / curvature)
