"""The user's references: read, judged, and brought to the particles' pixel size and box."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import read_mrc
from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.star import StarError, read_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments

if TYPE_CHECKING:
    from verglas.em.state.particles import OpticsGroup

SAME_PIXEL = 1e-3  # relative difference that is rounding
# Correlation of density with the particle's sphere, below which contrast is inverted. White maps and
# averages with a mask around the particle have 0.01 to 0.73 (four maps, the 46 averages of a real Class2D
# job): none is refused. An inverted map whose mask is much larger than itself may pass. A thin shell has
# -0.21 with a mask that lies in its hollow, but more than 0.2 with the whole box, where inverted maps stay
# below 0: both count.
INVERTED = -0.2
LABEL = "rlnReferenceImage"
Array = npt.NDArray[np.float32]


def read_references(arguments: Arguments, optics: OpticsGroup, say: Callable[[str], None]) -> Array | None:
    """References (n, N, N) of 2D or (n, N, N, N), n = 1 or K, in the box of `optics`; None if none is given.

    Raises JobFailed where they cannot be what the user means.
    """
    name = arguments["--ref"]
    if name in ("", "None"):
        return None
    maps, header_pixel, dims = _read_images(name)
    if len(maps) not in (1, arguments["--K"]):
        raise JobFailed(f"{name} holds {len(maps)} references, but --K asks for {arguments['--K']}")
    _check_values(name, maps)
    pixel = arguments["--ref_angpix"] if arguments["--ref_angpix"] > 0 else header_pixel
    if arguments["--trust_ref_size"] or pixel <= 0:
        pixel = optics.pixel_size_angst
    maps = _fitted(name, maps, pixel, optics, dims, say)
    _check_contrast(name, maps, arguments["--particle_diameter"] / optics.pixel_size_angst)
    return maps


def _read_images(name: str) -> tuple[Array, float, int]:
    """References (K, ...), their pixel size (0: unknown) and dimensions: a map, an image, a stack or a list."""
    if not name.endswith(".star"):
        return _of_file(name, name.endswith("s"))
    found = [_of_entry(entry) for entry in _listed(name)]
    shapes = {maps.shape[1:] for maps, _, _ in found}
    if len(shapes) > 1:
        sizes = ", ".join(" x ".join(map(str, shape)) for shape in sorted(shapes))
        raise JobFailed(f"the references of {name} differ in size: {sizes} px")
    return np.concatenate([maps for maps, _, _ in found]), found[0][1], found[0][2]


def _listed(name: str) -> list[str]:
    try:
        tables = [table for table in read_star(name).values() if LABEL in table]
    except (OSError, StarError) as error:
        raise JobFailed(f"the list of references cannot be read: {error}") from error
    if not tables:
        raise JobFailed(f"{name} has no {LABEL}, which names the references")
    return tables[0].strings(LABEL)


def _of_entry(entry: str) -> tuple[Array, float, int]:
    """One reference of a list: a map, or `number@stack`."""
    number, _, path = entry.rpartition("@")
    maps, pixel, dims = _of_file(path, flat=bool(number))
    if not number:
        return maps, pixel, dims
    place = int(number) - 1 if number.isdigit() else -1
    if not 0 <= place < len(maps):
        raise JobFailed(f"the reference {entry} is not there: {path} holds {len(maps)} images")
    return maps[place : place + 1], pixel, dims


def _of_file(path: str, flat: bool) -> tuple[Array, float, int]:
    try:
        image = read_mrc(path)
    except (OSError, UnreadableImage) as error:
        raise JobFailed(f"the reference cannot be read: {error}") from error
    data = np.asarray(image.data, np.float32)
    flat = flat or data.ndim == 2
    maps = data[None] if data.ndim == 2 or not flat else data
    return maps, image.pixel_size_angst, 2 if flat else 3


def _check_values(name: str, maps: Array) -> None:
    sides = maps.shape[1:]
    if len(set(sides)) > 1 or sides[0] % 2 or sides[0] < 8:
        shape = " x ".join(map(str, sides))
        raise JobFailed(f"the reference {name} is {shape} px: its sides must be equal, even and at least 8")
    for number, one in enumerate(maps, 1):
        which = f"image {number} of {name}" if len(maps) > 1 else name
        if not np.isfinite(one).all():
            raise JobFailed(f"the reference {which} holds values that are not finite (NaN or infinite)")
        if one.min() == one.max():
            raise JobFailed(f"the reference {which} has the same value everywhere ({one.max():g})")


def _fitted(
    name: str, maps: Array, pixel: float, optics: OpticsGroup, dims: int, say: Callable[[str], None]
) -> Array:
    """In the pixel size and box of the particles."""
    import torch

    from verglas.em.start.initialise import to_box
    from verglas.fourier.rounding import nearest

    box, wanted = maps.shape[-1], optics.box_size
    same = abs(pixel / optics.pixel_size_angst - 1) < SAME_PIXEL
    if same and box == wanted:
        return maps
    side = box if same else 2 * nearest(box * pixel / optics.pixel_size_angst / 2)
    say(
        f" The reference {name} ({box} px of {pixel:.6g} A) is brought to the particles' {wanted} px of "
        f"{optics.pixel_size_angst:.6g} A"
    )
    fitted = to_box(torch.from_numpy(maps.astype(np.float64)), side, wanted, dims)
    return fitted.numpy().astype(np.float32)


def _check_contrast(name: str, maps: Array, diameter_px: float) -> None:
    """Particles are white: so must references be."""
    box = maps.shape[-1]
    diameter = min(diameter_px if diameter_px > 0 else box, box)
    for number, one in enumerate(maps, 1):
        likeness = _likeness_to_sphere(one, diameter)
        if likeness < INVERTED and _likeness_to_sphere(one, box) < 0:
            which = f"image {number} of {name}" if len(maps) > 1 else name
            raise JobFailed(
                f"the reference {which} is darker inside the particle's mask than outside (correlation "
                f"{likeness:.2f}), but particles are white: multiply it by -1, e.g. with "
                f"`verglas image --i {name} --multiply_constant -1 --o inverted.mrc`"
            )


def _likeness_to_sphere(image: Array, diameter_px: float) -> float:
    """Correlation of an image or map with a ball in its middle."""
    box, axes = image.shape[-1], image.ndim
    grid: Any = np.ogrid[tuple(slice(-(box // 2), box - box // 2) for _ in range(axes))]
    inside = sum(axis**2 for axis in grid) < (diameter_px / 2) ** 2
    return float(np.corrcoef(image.ravel(), inside.ravel())[0, 1])
