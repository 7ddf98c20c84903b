"""One map or mask from a file, checked: cubic, finite, with a pixel size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import read_mrc, read_mrc_header
from verglas.formats.mrc_header import UnreadableImage
from verglas.jobs.contract.base import JobFailed, NothingToDo

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float32]
SAME_PIXEL = 1e-3  # relative difference that is rounding
_ROUNDING = 1e-4  # beyond 0 and 1 in masks that were resampled or stored in half precision


@dataclass(frozen=True, eq=False)
class Volume:
    """A cubic map (z, y, x) float32."""

    path: str
    data: Array
    pixel_size_angst: float
    header_pixel_angst: float  # 0 if the file does not say

    @property
    def size(self) -> int:
        return int(self.data.shape[0])

    @property
    def tensor(self) -> Tensor:
        import torch

        return torch.from_numpy(self.data)


def read_volume(path: str, pixel_size_angst: float = -1.0, what: str = "map") -> Volume:
    """Read a map; a positive pixel size replaces the header's.

    Axes stored in another order come back as z, y, x. Raises NothingToDo while the file is missing,
    JobFailed where it cannot be what is wanted.
    """
    if not Path(path).exists():
        raise NothingToDo(f"the {what} {path} does not exist yet")
    try:
        image, header = read_mrc(path), read_mrc_header(path)
    except (OSError, UnreadableImage) as error:
        raise JobFailed(f"the {what} cannot be read: {error}") from error
    data = np.asarray(image.data, np.float32)
    if data.ndim != 3 or len(set(data.shape)) != 1 or data.shape[0] < 8:
        shape = " x ".join(map(str, data.shape[::-1]))
        raise JobFailed(f"the {what} {path} is {shape} px: a cube of 8 px or more is wanted")
    stored = header.axes[::-1]  # sections, rows, columns
    data = np.ascontiguousarray(data.transpose([stored.index(axis) for axis in (3, 2, 1)]))
    if not np.isfinite(data).all():
        bad = int(np.count_nonzero(~np.isfinite(data)))
        raise JobFailed(f"the {what} {path} holds {bad} values that are no finite numbers")
    pixel = pixel_size_angst if pixel_size_angst > 0 else image.pixel_size_angst
    if pixel <= 0:
        raise JobFailed(f"the pixel size of {path} is not in its header: give --angpix")
    return Volume(path, data, pixel, image.pixel_size_angst)


def read_mask(path: str, like: Volume) -> Volume:
    """A mask for a map: of its box and pixel size, values in [0, 1], somewhere above 0.5.

    Raises NothingToDo, JobFailed.
    """
    mask = read_volume(path, like.pixel_size_angst, "mask")
    check_same_grid(mask, like, "mask")
    low, high = float(mask.data.min()), float(mask.data.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise JobFailed(f"the mask {path} has values from {low:g} to {high:g}: 0 to 1 is wanted")
    if high <= 0.5:
        raise JobFailed(f"the mask {path} is empty: its highest value is {high:g}")
    return replace(mask, data=np.clip(mask.data, 0, 1))


def check_same_grid(volume: Volume, like: Volume, what: str) -> None:
    """Raise JobFailed unless two maps have one box and, by their headers, one pixel size."""
    if volume.size != like.size:
        raise JobFailed(
            f"the {what} {volume.path} has a box of {volume.size} px, {like.path} one of {like.size}"
        )
    one, other = volume.header_pixel_angst, like.header_pixel_angst
    if one > 0 and other > 0 and abs(one / other - 1) > SAME_PIXEL:
        raise JobFailed(f"the {what} {volume.path} has pixels of {one:g} Å, {like.path} of {other:g} Å")
