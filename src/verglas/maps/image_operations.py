"""A chain of operations on one image or map, in the order relion_image_handler has them.

Arithmetic with images and constants; filters; thresholds; mirrors; shifts; symmetry; another pixel size;
another box. relion_image_handler does the first arithmetic operation of its list only and silently leaves
out the others; here all that are asked for are done.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.fourier import shell_counts, shell_indices, shell_sums
from verglas.geometry import PointGroup
from verglas.maps.box_filters import RadialFilter, resampled, resampled_shape, spectrum, weighted
from verglas.maps.box_geometry import (
    centre_of_mass_px,
    inverted_hand,
    mirrored,
    shifted,
    symmetrised,
    windowed,
)
from verglas.maps.fitting import fit
from verglas.maps.local.filter import local_low_pass
from verglas.maps.shell_correlation import randomise_phases
from verglas.maps.symmetry.alignment import align_to_symmetry

Array = NDArray[np.floating]
_FLOAT64_PIXELS = 1 << 24  # larger maps are filtered in float32: half the memory


@dataclass(frozen=True, eq=False)
class ImageOperations:
    """What to do. Images of `multiply` ... have the shape of the input; lengths in Å or pixels."""

    replace_nan: float | None = None
    multiply: Array | None = None
    divide: Array | None = None
    add: Array | None = None
    subtract: Array | None = None
    optimise_scale: bool = False  # subtract k·image with the least sum of squares
    scale_mask: Array | None = None
    factor: float = 1.0
    offset: float = 0.0
    adjust_power: Array | None = None
    radial: RadialFilter = field(default_factory=RadialFilter)
    randomise_beyond_angst: float | None = None
    seed: int = 1
    above: float | None = None
    below: float | None = None
    mirrors: tuple[str, ...] = ()  # of "X", "Y", "Z", "XY", "-XY"
    invert_hand: bool = False
    centre_on_mass: bool = False
    shift_xyz_px: tuple[float, float, float] = (0.0, 0.0, 0.0)
    symmetry: NDArray[np.float64] | None = None  # (g, 3, 3)
    local_resolution_angst: Array | None = None  # low pass of every voxel at its own resolution
    fit_to: Array | None = None  # turn and move onto this map
    onto_axes_of: PointGroup | None = None  # turn until its axes lie where this group has them
    difference_from: Array | None = None  # less this map, its amplitudes and scale matched first
    new_pixel_size_angst: float | None = None
    new_box_px: int | None = None

    @property
    def needs_pixel_size(self) -> bool:
        lengths = (self.randomise_beyond_angst, self.new_pixel_size_angst, self.local_resolution_angst)
        return not self.radial.is_none or any(length is not None for length in lengths)

    def apply(self, image: Array, pixel_size_angst: float) -> tuple[Array, float]:
        """The image (y, x) or (z, y, x) and its pixel size after all operations."""
        result = self._arithmetic(np.asarray(image, np.float32))
        result = self._thresholds(self._filters(result, pixel_size_angst))
        result = self._positions(result)
        if self.new_pixel_size_angst is not None:
            shape = resampled_shape(result.shape, pixel_size_angst, self.new_pixel_size_angst)
            pixel_size_angst = pixel_size_angst * result.shape[-1] / shape[-1]
            result = resampled(_tensor(result), shape).numpy()
        if self.new_box_px is not None:
            result = windowed(result, self.new_box_px)
        return result.astype(np.float32, copy=False), pixel_size_angst

    def _arithmetic(self, image: Array) -> Array:
        if self.replace_nan is not None:
            image = np.where(np.isfinite(image), image, np.float32(self.replace_nan))
        if self.multiply is not None:
            image = image * _fitting(self.multiply, image)
        if self.divide is not None:
            divisor = _fitting(self.divide, image)
            image = np.divide(image, divisor, out=np.zeros_like(image), where=divisor != 0)
        if self.add is not None:
            image = image + _fitting(self.add, image)
        if self.subtract is not None:
            other = _fitting(self.subtract, image)
            image = image - self._scale(image, other) * other
        if self.factor != 1.0 or self.offset != 0.0:
            image = image * np.float32(self.factor) + np.float32(self.offset)
        return image

    def _scale(self, image: Array, other: Array) -> np.float32:
        if not self.optimise_scale:
            return np.float32(1)
        weight = 1.0 if self.scale_mask is None else _fitting(self.scale_mask, image) > 0
        products = [(image * other * weight), (other * other * weight)]
        above, below = (float(product.sum(dtype=np.float64)) for product in products)
        return np.float32(above / below) if below > 0 else np.float32(1)

    def _filters(self, image: Array, pixel_size_angst: float) -> Array:
        if self.adjust_power is not None:
            image = with_power_of(image, _fitting(self.adjust_power, image))
        if not self.radial.is_none:
            weights = self.radial.weights(image.shape, pixel_size_angst)
            image = weighted(_tensor(image), weights).numpy()
        if self.randomise_beyond_angst is not None:
            _require_cube(image, "randomising phases")
            shell = int(image.shape[0] * pixel_size_angst / self.randomise_beyond_angst)
            generator = torch.Generator().manual_seed(self.seed)
            image = randomise_phases(_tensor(image), shell, generator).numpy()
        if self.local_resolution_angst is not None:
            resolution = _tensor(_fitting(self.local_resolution_angst, image))
            image = local_low_pass(_tensor(image), resolution, pixel_size_angst).numpy()
        return image

    def _thresholds(self, image: Array) -> Array:
        if self.above is not None:
            image = np.minimum(image, image.dtype.type(self.above))
        if self.below is not None:
            image = np.maximum(image, image.dtype.type(self.below))
        return image

    def _positions(self, image: Array) -> Array:
        for axis in self.mirrors:
            if axis in ("XY", "-XY"):
                image = image if axis == "XY" else image[..., ::-1, ::-1]
                image = np.swapaxes(image, -1, -2)
            else:
                image = mirrored(image, axis)
        if self.invert_hand:
            image = inverted_hand(image)
        shift = np.array(self.shift_xyz_px)
        if self.centre_on_mass:
            centre = centre_of_mass_px(image)
            shift[: len(centre)] -= centre
        if shift.any():
            image = shifted(image, tuple(shift.tolist()))
        image = self._moves(image)
        if self.symmetry is not None:
            image = symmetrised(image, self.symmetry)
        if self.difference_from is not None:
            image = difference(image, _fitting(self.difference_from, image))
        return np.ascontiguousarray(image)

    def _moves(self, image: Array) -> Array:
        if self.fit_to is not None:
            _require_cube(image, "fitting")
            image = fit(_tensor(image), _tensor(_fitting(self.fit_to, image))).apply(image)
        if self.onto_axes_of is not None:
            _require_cube(image, "finding symmetry axes")
            image = align_to_symmetry(_tensor(image), 1.0, self.onto_axes_of).apply(image)
        return image


def with_power_of(image: Array, other: Array) -> Array:
    """The image with the mean amplitude of every shell taken from another one of the same size."""
    _require_cube(image, "adjusting the power spectrum")
    data = _tensor(image)
    shells = shell_indices(image.shape[-1], image.ndim)
    n_shells = int(shells.max()) + 1
    own, wanted = (shell_sums(spectrum(part).abs(), shells, n_shells) for part in (data, _tensor(other)))
    factor = torch.where(own > 0, wanted / own.clamp_min(1e-300), 0.0)
    return np.asarray(weighted(data, factor[shells]).numpy())


def difference(image: Array, other: Array) -> Array:
    """The image less another one that has its amplitudes, shell by shell, and the best scale (±)."""
    matched = with_power_of(other, image)
    above, below = ((first * matched).sum(dtype=np.float64) for first in (image, matched))
    return np.asarray(image - matched * (above / below if below > 0 else 0.0), image.dtype)


def power_spectrum(image: Array) -> NDArray[np.float64]:
    """Mean |F|² of every shell 0..N/2 of a square or cube."""
    _require_cube(image, "a power spectrum")
    side = image.shape[-1]
    shells, n_shells = shell_indices(side, image.ndim), side // 2 + 1
    power = spectrum(_tensor(image)).abs().double().square()
    sums = shell_sums(power, shells, n_shells)
    return np.asarray((sums / shell_counts(shells, n_shells).double()).numpy())


def _fitting(other: Array, image: Array) -> Array:
    if other.shape != image.shape:
        raise ValueError(f"images differ in shape: {image.shape} and {other.shape} pixels")
    return np.asarray(other, np.float32)


def _require_cube(image: Array, what: str) -> None:
    if len(set(image.shape)) != 1:
        raise ValueError(f"{what} needs a square or a cube, got {image.shape} pixels")


def _tensor(image: Array) -> Tensor:
    dtype = np.float64 if image.size <= _FLOAT64_PIXELS else np.float32
    return torch.from_numpy(np.ascontiguousarray(image, dtype))
