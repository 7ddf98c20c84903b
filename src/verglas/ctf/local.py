"""Defocus across a micrograph: a plane through fits of overlapping patches, hence tilt.

The micrograph's own fit gives astigmatism and phase; of each patch only the mean defocus is free. The
plane weighs patches by the curvature of their score, so that patches without rings say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.ctf.backend import backend_for
from verglas.ctf.model import CtfTrial
from verglas.ctf.polar import polar_spectrum
from verglas.ctf.settings import CtfSettings, Microscope
from verglas.ctf.spectrum import TARGET_PIXEL_ANGST, micrograph_spectrum

SEARCH_ANGST = 4000.0
STEP_ANGST = 50.0


@dataclass(frozen=True)
class LocalDefocus:
    """Defocus relative to the micrograph's fit: offset + slope . (position - centre)."""

    centres_xy_angst: NDArray[np.float64]  # (patches, 2) from the micrograph's centre
    offsets_angst: NDArray[np.float64]  # (patches,) measured
    weights: NDArray[np.float64]  # (patches,)
    plane: NDArray[np.float64]  # (3,) offset (Å), slope along x and y (Å per Å)

    @property
    def tilt_deg(self) -> float:
        """Angle between the specimen and the plane normal to the beam."""
        return float(np.rad2deg(np.arctan(np.hypot(self.plane[1], self.plane[2]))))

    @property
    def axis_deg(self) -> float:
        """Direction of the tilt axis from +x, in (-90, 90]: defocus does not change along it."""
        angle = float(np.rad2deg(np.arctan2(self.plane[1], -self.plane[2])))
        return (angle + 90) % 180 - 90

    def at(self, positions_xy_angst: NDArray[np.floating]) -> NDArray[np.float64]:
        """Defocus offset (Å) of the plane at positions (n, 2) from the micrograph's centre."""
        offsets: NDArray[np.float64] = self.plane[0] + positions_xy_angst @ self.plane[1:]
        return offsets


def local_defocus(
    micrograph: NDArray[np.floating],
    pixel_size_angst: float,
    trial: CtfTrial,
    microscope: Microscope,
    settings: CtfSettings,
    grid: int = 5,
    device: str = "cpu",
) -> LocalDefocus:
    """Fit grid x grid overlapping patches. Raises ValueError when the micrograph is too small."""
    target = max(TARGET_PIXEL_ANGST, pixel_size_angst)
    side = round(settings.box_size * target / pixel_size_angst)
    height, width = micrograph.shape
    if min(height, width) < 1.5 * side:
        raise ValueError(
            f"local fits need a micrograph of at least {int(1.5 * side)} pixels, got {width} x {height}"
        )
    tops = np.linspace(0, height - side, grid).round().astype(int)
    lefts = np.linspace(0, width - side, grid).round().astype(int)
    centres, offsets, weights = [], [], []
    for top in tops:
        for left in lefts:
            patch = micrograph[top : top + side, left : left + side]
            offset, weight = _patch_offset(patch, pixel_size_angst, trial, microscope, settings, device)
            centres.append([left + side / 2 - width / 2, top + side / 2 - height / 2])
            offsets.append(offset)
            weights.append(weight)
    centres_xy = np.array(centres) * pixel_size_angst
    plane = _plane(centres_xy, np.array(offsets), np.array(weights))
    return LocalDefocus(centres_xy, np.array(offsets), np.array(weights), plane)


def _patch_offset(
    patch: NDArray[np.floating],
    pixel_size_angst: float,
    trial: CtfTrial,
    microscope: Microscope,
    settings: CtfSettings,
    device: str,
) -> tuple[float, float]:
    """Best defocus offset of a patch (Å) and the curvature of its score there."""
    spectrum = micrograph_spectrum(patch, pixel_size_angst, settings.box_size // 2, device)
    highest = max(settings.resolution_max_angst, 2 * spectrum.pixel_size_angst * 1.02)
    model = backend_for(device).model(
        polar_spectrum(spectrum, settings.resolution_min_angst, highest), microscope
    )
    tried = np.arange(-SEARCH_ANGST, SEARCH_ANGST + 1, STEP_ANGST)
    trials = np.tile(trial.as_row(), (len(tried), 1))
    trials[:, 0] += tried
    scores = model.explained_many(trials)
    best = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    left, middle, right = scores[best - 1 : best + 2]
    curvature = max(2 * middle - left - right, 1e-12)
    return float(tried[best] + STEP_ANGST * (right - left) / (2 * curvature)), float(curvature)


def _plane(
    centres: NDArray[np.float64], offsets: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted least squares, twice: the second time without patches three deviations off."""
    matrix = np.column_stack([np.ones(len(centres)), centres])
    use = np.ones(len(offsets), bool)
    plane = np.zeros(3)
    for _ in range(3):
        root = np.sqrt(weights * use)
        plane, *_ = np.linalg.lstsq(matrix * root[:, None], offsets * root, rcond=None)
        residual = np.abs(offsets - matrix @ plane)
        use = residual <= 3 * 1.4826 * np.median(residual[use]) + STEP_ANGST
    return np.asarray(plane)
