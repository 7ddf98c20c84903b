"""Areas that are not thin ice with particles: carbon, ice crystals, dirt, the edge of a hole.

Two features at the scale of a particle, the mean grey value and the local contrast, are compared with
what is usual in this micrograph (the shortest half of its values). An area that is far out in either, and
larger than a particle, is dirty; it grows down to where the feature is usual again. Nothing is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from verglas.picking.picks import Array
from verglas.picking.working_image import binned

SEED_SIGMAS = 10.0  # an area is dirty if it holds a pixel this unusual ...
GROWN_SIGMAS = 5.0  # ... and reaches as far as pixels are this unusual
LEAST_AREA = 1.5  # in areas of the largest particle
PIXELS_PER_DIAMETER = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class DirtyAreas:
    """Where not to pick, on coarse pixels."""

    mask: Array  # (y, x) bool, true where dirty
    pixel_size_angst: float
    bin_px: int  # micrograph pixels per pixel of the mask

    @property
    def fraction(self) -> float:
        """Dirty part of the micrograph."""
        return float(self.mask.mean())

    def holds(self, xy: Array) -> Array:  # (n, 2) micrograph pixels -> (n,) bool
        """Which positions lie in a dirty area."""
        rows = np.clip((xy[:, 1] / self.bin_px).astype(int), 0, self.mask.shape[0] - 1)
        columns = np.clip((xy[:, 0] / self.bin_px).astype(int), 0, self.mask.shape[1] - 1)
        return self.mask[rows, columns]

    def on_grid(self, shape: tuple[int, int], device: torch.device) -> Tensor:
        """The mask on another number of pixels over the same field."""
        rows = np.arange(shape[0]) * self.mask.shape[0] // shape[0]
        columns = np.arange(shape[1]) * self.mask.shape[1] // shape[1]
        return torch.as_tensor(self.mask[np.ix_(rows, columns)], device=device)


def find_dirty_areas(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    diameter_angst: float,
) -> DirtyAreas:
    """Dirty areas for particles of (at most) this diameter. Raises ValueError for a bad image."""
    if not bool(torch.isfinite(micrograph).all()):
        bad = int((~torch.isfinite(micrograph)).sum())
        raise ValueError(f"micrograph holds {bad} values that are not finite numbers")
    bin_px = max(1, int(diameter_angst / (PIXELS_PER_DIAMETER * pixel_size_angst)))
    small = binned(_without_outliers(micrograph.to(torch.float32)), bin_px)
    image = small.cpu().numpy().astype(np.float64)
    across = diameter_angst / (pixel_size_angst * bin_px)
    mask = _unusual(_grey(image, across), across) | _unusual(_contrast(small, across), across)
    mask = ndimage.binary_dilation(mask, _disc(0.35 * across)) if mask.any() else mask
    return DirtyAreas(mask, pixel_size_angst * bin_px, bin_px)


def _without_outliers(image: Tensor) -> Tensor:
    """Hot pixels must not ring; real dirt is many pixels wide and survives."""
    middle, width = image.mean(), image.std()
    return torch.where((image - middle).abs() > 20 * width, middle, image)


def _grey(image: Array, across: float) -> Array:
    """Mean grey value over a particle, without the illumination's slope."""
    return ndimage.gaussian_filter(image - _usual_plane(image, across), 0.5 * across)


def _usual_plane(image: Array, across: float) -> Array:
    """A plane through what is usual: least squares with Cauchy weights on the smoothed image."""
    mean = ndimage.gaussian_filter(image, 0.5 * across)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] / max(image.shape) - 0.5
    design = np.stack([np.ones(image.size), x.ravel(), y.ravel()], 1)
    values = mean.ravel()
    plane = np.zeros(image.size)  # flat at first: a third of carbon must not tilt it
    for _ in range(12):
        rest = values - plane
        middle, width = _usual(rest)
        weight = np.sqrt(1 / (1 + ((rest - middle) / (3 * width)) ** 2))
        found = np.linalg.lstsq(design * weight[:, None], values * weight, rcond=None)[0]
        plane = design @ found
    return plane.reshape(image.shape)


def _contrast(small: Tensor, across: float) -> Array:
    """Logarithm of the local variance, seen over twice the particle so that one particle counts little."""
    flat = small.cpu().numpy().astype(np.float64)
    flat = flat - ndimage.gaussian_filter(flat, 0.5 * across)
    variance = ndimage.gaussian_filter(flat**2, across)
    return np.log(np.maximum(variance, 1e-12 * variance.max() + 1e-30))


def _unusual(feature: Array, across: float) -> Array:
    middle, width = _usual(feature)
    rest = np.abs(feature - middle) / width
    labels, count = ndimage.label(rest > GROWN_SIGMAS)
    if not count:
        return np.zeros(feature.shape, bool)
    index = np.arange(1, count + 1)
    highest = ndimage.maximum(rest, labels, index)
    area = ndimage.sum_labels(np.ones_like(rest), labels, index)
    dirty = (highest > SEED_SIGMAS) & (area > LEAST_AREA * math.pi * (0.5 * across) ** 2)
    found = np.concatenate([[False], dirty])[labels]
    return ndimage.binary_fill_holes(found)


def _usual(values: Array) -> tuple[float, float]:
    """Middle and standard deviation of the shortest interval that holds half of the values.

    Unlike median and quartiles it does not move when a third of the micrograph is carbon.
    """
    ordered = np.sort(values, axis=None)
    half = len(ordered) // 2
    width = ordered[half:] - ordered[: len(ordered) - half]
    start = int(width.argmin())
    least = 1e-12 * max(1.0, float(np.abs(ordered[[0, -1]]).max()))
    middle = 0.5 * float(ordered[start] + ordered[start + half])
    return middle, max(float(width[start]) / 1.349, least)


def _disc(radius: float) -> Array:
    reach = max(1, int(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return x**2 + y**2 <= radius**2 + 0.5
