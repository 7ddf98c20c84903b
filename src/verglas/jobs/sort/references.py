"""The references that particles are sorted against: of their own classification, or picking templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.mrc import read_mrc
from verglas.formats.stack import parse_image_name, read_images, strip_format
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import read_items, read_list

if TYPE_CHECKING:
    from torch import Tensor

_LABELS = ("rlnReferenceImage", "rlnImageName")


@dataclass(frozen=True)
class References:
    """K images (K, n, n) or maps (K, n, n, n)."""

    data: np.ndarray
    pixel_size_angst: float
    path: str

    @property
    def dims(self) -> int:
        return self.data.ndim - 1

    def on_grid(self, box: int, pixel_size_angst: float) -> Tensor:
        """The references with the box and pixel size of particles."""
        import torch

        from verglas.maps.box_filters import resampled, resampled_shape
        from verglas.maps.box_geometry import windowed

        maps = list(self.data)
        if abs(self.pixel_size_angst / pixel_size_angst - 1) > 1e-3:
            shape = resampled_shape(maps[0].shape, self.pixel_size_angst, pixel_size_angst)
            maps = [resampled(torch.from_numpy(one), shape).numpy() for one in maps]
        return torch.from_numpy(np.stack([windowed(one, box) for one in maps]))


def model_of(particles_path: str) -> str | None:
    """The model file beside the particles of a classification or refinement, None if there is none."""
    for ending in ("_half1_model.star", "_model.star"):
        candidate = particles_path.replace("_data.star", ending)
        if candidate != particles_path and Path(candidate).exists():
            return candidate
    return None


def read_references(path: str, pixel_size_angst: float = -1.0) -> References:
    """From a model file, a list of references, a stack or a map. Raises JobFailed naming what lacks."""
    names, pixel = [path], pixel_size_angst
    if path.endswith("_model.star"):
        star, classes = read_list(path, "model_classes")
        names = classes.strings("rlnReferenceImage")
        pixel = pixel if pixel > 0 else star["model_general"].number("rlnPixelSize")
    elif path.endswith(".star"):
        _, table = read_items(path)
        label = next((label for label in _LABELS if label in table), None)
        if label is None:
            raise JobFailed(f"{path} names no references: neither of {', '.join(_LABELS)}")
        names = table.strings(label)
    places = [parse_image_name(name) for name in names]
    first = read_mrc(strip_format(places[0][0]), dtype=None)
    pixel = pixel if pixel > 0 else first.pixel_size_angst
    if pixel <= 0:
        raise JobFailed(f"the pixel size of the references {path} is not known: give --angpix_ref")
    if all(index is not None for _, index in places):
        data = read_images([(file, index or 0) for file, index in places])
    elif len(places) == 1 and path.endswith(".mrcs"):
        data = read_mrc(path).data
    else:
        data = np.stack([read_mrc(file).data for file, _ in places])
    if data.ndim == 2:
        data = data[None]
    return References(np.asarray(data, np.float32), pixel, path)
