"""Taking a part of the signal off particles, and cutting out what is left about a new centre (§10.9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.fourier import forward, inverse
from verglas.fourier.gridding import crop_box, pad_box
from verglas.geometry import euler_matrices

Floats = NDArray[np.float64]


def subtracted(images: Tensor, predictions: Tensor) -> Tensor:
    """Images (b, N, N) less the images of predicted half transforms (b, N, N//2+1)."""
    return inverse(forward(images) - predictions, int(images.shape[-1]))


def centre_of_mass_px(mask: NDArray[np.floating]) -> tuple[float, float, float]:
    """(x, y, z) of a mask (z, y, x) from its middle voxel. Raises ValueError for an empty one."""
    total = float(mask.sum(dtype=np.float64))
    if total <= 0:
        raise ValueError("the mask is empty: it has no centre of mass")
    centre = []
    for axis in (2, 1, 0):
        profile = mask.sum(axis=tuple(n for n in range(3) if n != axis), dtype=np.float64)
        side = mask.shape[axis]
        centre.append(float(profile @ (np.arange(side) - side // 2)) / total)
    return centre[0], centre[1], centre[2]


@dataclass(frozen=True)
class NewCentre:
    """Whole pixels (n, 2) that images are moved by, and the origins (n, 2) that remain, as (y, x)."""

    shift_yx_px: NDArray[np.int64]
    origins_yx_angst: Floats


def new_centre(
    angles_deg: Floats, origins_yx_angst: Floats, centre_xyz_angst: tuple[float, ...], pixel_angst: float
) -> NewCentre:
    """What brings a point of the map (from its middle) to the image's centre: origin - A c, in two parts."""
    matrices = euler_matrices(torch.from_numpy(angles_deg)).numpy()
    projected = matrices[:, :2, :] @ np.asarray(centre_xyz_angst, np.float64)
    wanted = (origins_yx_angst - projected[:, ::-1]) / pixel_angst
    whole = np.trunc(wanted + np.copysign(0.5, wanted))
    return NewCentre(whole.astype(np.int64), (wanted - whole) * pixel_angst)


def moved_and_cut(images: Tensor, shift_yx_px: NDArray[np.int64], box: int) -> Tensor:
    """Images (b, N, N) moved by whole pixels, what leaves on one side coming in on the other; box cut."""
    moved = torch.stack([image.roll((int(y), int(x)), (0, 1)) for image, (y, x) in zip(images, shift_yx_px)])
    size = int(images.shape[-1])
    if box <= size:
        return crop_box(moved, box, 2)
    return pad_box(moved, box, 2)
