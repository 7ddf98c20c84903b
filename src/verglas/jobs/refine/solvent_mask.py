"""The user's mask of the solvent: read, judged against the references, and doubted where it cannot be meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import Image, read_mrc
from verglas.formats.mrc_header import UnreadableImage
from verglas.jobs.contract.base import JobFailed

UNSET = (0.0, 1.0)  # pixel sizes in headers that say nothing
PIXEL_OFF = 0.01  # relative difference of pixel sizes that is not rounding
CUT_OFF = 0.25  # of the reference's power outside the mask: too much to be noise
Array = npt.NDArray[np.float32]


def read_solvent_mask(name: str, shape: tuple[int, ...], pixel_size_angst: float) -> Array | None:
    """The mask in the references' box `shape`; None for the name None. Raises JobFailed."""
    if name == "None":
        return None
    try:
        image = read_mrc(name)
    except (OSError, UnreadableImage) as error:
        raise JobFailed(f"the mask cannot be read: {error}") from error
    mask = np.asarray(image.data, np.float32)
    _check_frame(name, image, mask.shape, shape, pixel_size_angst)
    if not np.isfinite(mask).all():
        raise JobFailed(f"the mask {name} holds values that are not finite (NaN or infinite)")
    if mask.min() < 0 or mask.max() > 1:
        raise JobFailed(f"the mask {name} has values outside [0, 1]: from {mask.min():g} to {mask.max():g}")
    if mask.max() == 0:
        raise JobFailed(f"the mask {name} is empty: all its values are 0")
    return mask


def _check_frame(
    name: str, image: Image, found: tuple[int, ...], wanted: tuple[int, ...], pixel_size_angst: float
) -> None:
    if found != wanted:
        sizes = (" x ".join(map(str, each)) for each in (found, wanted))
        raise JobFailed("the mask {} is {} px, the references are {} px".format(name, *sizes))
    pixel = image.pixel_size_angst
    if pixel not in UNSET and abs(pixel / pixel_size_angst - 1) > PIXEL_OFF:
        raise JobFailed(
            f"the mask {name} has pixels of {pixel:g} A, the references of {pixel_size_angst:g} A: "
            "make a mask in their frame"
        )


def mask_doubt(name: str, mask: Array, reference: Any) -> str:
    """What looks wrong about a mask: it cuts away much of the (low-passed) reference; "" if nothing."""
    density = np.asarray(reference, np.float64)
    power = np.square(density - np.median(density))
    share = float(((1 - mask) * power).sum() / power.sum()) if power.any() else 0.0
    if share < CUT_OFF:
        return ""
    return (
        f"the mask {name} leaves out {100 * share:.0f} % of the reference's power: is it too tight, or in "
        "another place?"
    )
