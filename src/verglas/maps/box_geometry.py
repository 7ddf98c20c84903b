"""Moving the pixels of images (y, x) and maps (z, y, x): mirrors, windows, shifts, symmetry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating]
AXES = {"X": -1, "Y": -2, "Z": -3}


def mirrored(image: Array, axis: str) -> Array:
    """First pixel becomes the last along X, Y or Z; moves the centre of an even box by one pixel."""
    if image.ndim + AXES[axis] < 0:
        raise ValueError(f"an image of {image.ndim} dimensions has no {axis} axis to mirror")
    return np.flip(image, AXES[axis])


def inverted_hand(image: Array) -> Array:
    """Mirrored along X about the centre pixel N//2; the edge column wraps around."""
    return np.roll(np.flip(image, -1), 1 - image.shape[-1] % 2, -1)


def windowed(image: Array, size: int) -> Array:
    """A box of `size` about the same centre pixel; 0 where the image does not reach."""
    result = np.zeros((size,) * image.ndim, image.dtype)
    cut, place = [], []
    for side in image.shape:
        first = size // 2 - side // 2  # where pixel 0 goes
        cut.append(slice(max(0, -first), min(side, size - first)))
        place.append(slice(max(0, first), min(size, first + side)))
    result[tuple(place)] = image[tuple(cut)]
    return result


def shifted(image: Array, shift_xyz_px: tuple[float, ...]) -> Array:
    """Content moved by pixels along X, Y (, Z), linear in between; 0 comes in."""
    if image.ndim == 2 and len(shift_xyz_px) > 2 and shift_xyz_px[2]:
        raise ValueError("an image of two dimensions cannot be shifted along Z")
    steps = shift_xyz_px[: image.ndim][::-1]
    result: Array = ndimage.shift(image, steps, order=1, mode="constant")
    return result


def centre_of_mass_px(image: Array) -> tuple[float, ...]:
    """(x, y) or (x, y, z) from pixel N//2, of the positive pixels; zeros if there are none."""
    positive = np.maximum(image, 0).astype(np.float64)
    total = positive.sum()
    if total <= 0:
        return (0.0,) * image.ndim
    centre = []
    for axis, side in enumerate(image.shape):
        others = tuple(n for n in range(image.ndim) if n != axis)
        profile = positive.sum(axis=others)
        centre.append(float(profile @ (np.arange(side) - side // 2) / total))
    return tuple(reversed(centre))


def symmetrised(
    volume: Array,  # (z, y, x)
    operators: NDArray[np.float64],  # (g, 3, 3), of coordinates (x, y, z)
) -> Array:
    """The mean of a cube's rotated copies about pixel N//2, linear in between; 0 beyond the box."""
    if volume.ndim != 3 or len(set(volume.shape)) != 1:
        raise ValueError(f"symmetry needs a cube, got an image of {volume.shape} pixels")
    centre = np.full(3, float(volume.shape[0] // 2))
    total = np.zeros(volume.shape, np.float64)
    for operator in operators:
        matrix = operator[::-1, ::-1]
        # Exact quarter turns stay on the grid: 15.0000001 would already lie beyond its edge.
        matrix = np.where(np.abs(matrix - np.rint(matrix)) < 1e-9, np.rint(matrix), matrix)
        total += ndimage.affine_transform(
            volume, matrix, centre - matrix @ centre, order=1, mode="constant", output=np.float64
        )
    result: Array = (total / len(operators)).astype(volume.dtype)
    return result
