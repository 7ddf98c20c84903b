"""A mask without a person: where to cut a map, how wide to go, and whether the mask can be trusted.

The map is blurred, what stands out of the solvent's noise and is dense enough is kept with its holes filled,
widened and given a soft edge. With half maps the mask judges itself by the FSC that it causes with random
phases, and is widened until that is small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import label, sum_labels
from torch import Tensor

from verglas.fourier.band import band_radius, band_spectrum, from_band
from verglas.fourier.gridding import real_radius
from verglas.maps.mask_creation import MaskShape, mask_of
from verglas.maps.near_distance import Region
from verglas.maps.postprocessing.half_map_curves import HalfMapCurves, half_map_curves

BLUR_ANGST = 4.0
_NOTHING_LEFT = 9.0  # exp(-9): where the transform of the Gaussian is taken for 0
NOISE_SIGMAS = 5.0
DENSE_SHARE = 0.25  # of the typical density: below the mean of a flexible arm
LEAST_PART = 0.05  # of the largest connected part: what floats besides it is noise
EDGE_ANGST, LEAST_EDGE_PX = 10.0, 5.0
RANDOM_LIMIT = 0.05  # of the FSC with random phases at the resolution
WIDER_PX = 3.0
MOST_ROUNDS = 4
_LEFT_OUT_SIGMAS, _LEFT_OUT_SHARE = 6.0, 1e-3


@dataclass(frozen=True)
class Threshold:
    """Where a map is cut, and why there."""

    value: float
    reason: str


@dataclass(frozen=True, eq=False)
class AutomaticMask:
    """The mask (N, N, N), how it was made, and what its check found."""

    mask: Tensor
    threshold: Threshold
    extend_px: float
    soft_edge_px: float
    curves: HalfMapCurves | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def random_fsc(self) -> float:
        """FSC with random phases at the resolution; nan without half maps."""
        if self.curves is None or not self.curves.random_from:
            return float("nan")
        shells = self.curves.randomised
        return float(shells[min(self.curves.final_shell, len(shells) - 1)])


def smooth(volume: Tensor, pixel_size_angst: float, blur_angst: float = BLUR_ANGST) -> Tensor:
    """Convolved with a Gaussian of this deviation, at least a pixel: unlike a low pass it does not ring."""
    size = int(volume.shape[-1])
    blur_px = max(1.0, blur_angst / pixel_size_angst)
    strength = 2 * torch.pi**2 * (blur_px / size) ** 2
    reach = min(math.ceil(math.sqrt(_NOTHING_LEFT / strength)), (size - 1) // 2)
    weights = torch.exp(-strength * band_radius(reach, 3, volume.device).square())
    return from_band(band_spectrum(volume, reach) * weights.to(volume.dtype), size)


def propose_threshold(smoothed: Tensor) -> Threshold:
    """A threshold for a smoothed map (N, N, N): above the solvent's noise, within the density.

    Raises ValueError where nothing stands out of the noise.
    """
    values = _inner_values(smoothed)
    solvent, noise = _solvent_of(values)
    from_noise = solvent + NOISE_SIGMAS * noise
    dense = values[values > from_noise] - solvent
    if len(dense) < 8:
        raise ValueError(
            f"nothing in the map stands {NOISE_SIGMAS:g} deviations out of its noise: no mask can be made"
        )
    typical = float((dense**2).sum() / dense.sum())
    from_density = solvent + DENSE_SHARE * typical
    noisy = from_noise > from_density
    reason = f"solvent {solvent:.4g} with noise {noise:.4g}, typical density {solvent + typical:.4g}: " + (
        f"{NOISE_SIGMAS:g} deviations above the solvent"
        if noisy
        else f"{DENSE_SHARE:.0%} of the density above the solvent"
    )
    return Threshold(max(from_noise, from_density), reason)


def automatic_mask(first: Tensor, second: Tensor | None, pixel_size_angst: float) -> AutomaticMask:
    """A mask for a map, or for two half maps, which also check it.

    Raises ValueError where nothing stands out of the noise.
    """
    mean = first if second is None else (first + second) / 2
    smoothed = smooth(mean, pixel_size_angst)
    threshold = propose_threshold(smoothed)
    region = main_parts((smoothed >= threshold.value).cpu().numpy())
    edge = max(LEAST_EDGE_PX, EDGE_ANGST / pixel_size_angst)
    found = AutomaticMask(mask_of(region, MaskShape(0, edge, fill=True)), threshold, 0, edge)
    if second is not None:
        found = _checked(found, region, first, second)
    return AutomaticMask(**{**vars(found), "warnings": [*found.warnings, *_left_out(smoothed, found.mask)]})


def _checked(found: AutomaticMask, region: Region, first: Tensor, second: Tensor) -> AutomaticMask:
    """The mask, widened until random phases no longer correlate at the resolution."""
    best = found
    for number in range(MOST_ROUNDS):
        extend = found.extend_px + number * WIDER_PX / 2
        edge = found.soft_edge_px + number * WIDER_PX
        mask = mask_of(region, MaskShape(extend, edge, fill=True)) if number else found.mask
        curves, _ = half_map_curves(first, second, mask.to(first))
        trial = AutomaticMask(mask, found.threshold, extend, edge, curves)
        if not best.random_fsc <= trial.random_fsc:
            best = trial
        if trial.random_fsc <= RANDOM_LIMIT or curves.final_shell >= len(curves.true) - 2:
            return trial
    warning = (
        f"random phases correlate by {best.random_fsc:.2f} at the resolution however wide the mask: the "
        "half maps may not be independent, or the box leaves no room for a softer edge"
    )
    return AutomaticMask(**{**vars(best), "warnings": [warning]})


def main_parts(region: Region) -> Region:
    """The connected parts that are not much smaller than the largest one."""
    parts, count = label(region)
    if count < 2:
        return region
    sizes = sum_labels(region, parts, np.arange(1, count + 1))
    kept = np.flatnonzero(sizes >= LEAST_PART * sizes.max()) + 1
    return np.asarray(np.isin(parts, kept))


def _left_out(smoothed: Tensor, mask: Tensor) -> list[str]:
    """Whether the solvent outside the mask still holds density."""
    radius = real_radius(len(mask), 3)
    outside = smoothed[(mask <= 0) & (radius < len(mask) / 2)].double().cpu()
    if len(outside) < 1000:
        return ["the mask leaves almost no solvent in the box: take a larger box"]
    centre = outside.median()
    noise = 1.4826 * (outside - centre).abs().median()
    share = float((outside > centre + _LEFT_OUT_SIGMAS * noise).double().mean())
    if share <= _LEFT_OUT_SHARE:
        return []
    return [f"{share:.1%} of the solvent outside the mask is density beyond {_LEFT_OUT_SIGMAS:g} deviations"]


def _inner_values(volume: Tensor) -> np.ndarray:
    """Values within the inscribed sphere, float64: corners of reconstructions are empty."""
    size = int(volume.shape[-1])
    inside = real_radius(size, 3, volume.device) < size / 2 - 1
    return np.asarray(volume[inside].double().cpu().numpy())


def _solvent_of(values: np.ndarray) -> tuple[float, float]:
    """The most frequent value, and the spread of values below it (which no density reaches)."""
    ordered = np.sort(values[:: max(1, len(values) // 1_000_000)])
    while len(ordered) > 16:  # half-sample mode
        half = len(ordered) // 2
        widths = ordered[half:] - ordered[: len(ordered) - half]
        start = int(np.argmin(widths))
        ordered = ordered[start : start + half]
    mode = float(ordered.mean())
    below = values[values < mode] - mode
    return mode, float(np.sqrt(np.mean(below**2))) if len(below) else 0.0
