"""Atomic models in the frame of a map: coordinates are from its first voxel, as modelling programs do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.simulate.model import load_model
from verglas.jobs.volumes.reading import Volume

if TYPE_CHECKING:
    from verglas.simulate.model import AtomicModel


def read_model(path: str, volume: Volume) -> AtomicModel:
    """The atoms of a PDB or mmCIF file. Raises JobFailed where none lies in the map's box."""
    from verglas.simulate.model import UnusableModel

    try:
        model = load_model(path, assembly=False, centred=False)
    except (UnusableModel, OSError) as error:
        raise JobFailed(f"the model cannot be used: {error}") from error
    inside = _inside(model.coordinates, volume)
    if not inside.any():
        low, high = model.coordinates.min(axis=0), model.coordinates.max(axis=0)
        raise JobFailed(
            f"no atom of {path} lies in the box of {volume.path}, "
            f"0 to {volume.size * volume.pixel_size_angst:.0f} Å: their corners are {np.round(low)} "
            f"and {np.round(high)}"
        )
    return model


def atoms_in_box(path: str, volume: Volume) -> npt.NDArray[np.bool_]:
    """The voxels (z, y, x) of a map that hold atoms of a model."""
    coordinates = read_model(path, volume).coordinates
    coordinates = coordinates[_inside(coordinates, volume)]
    x, y, z = np.rint(coordinates / volume.pixel_size_angst).astype(int).T
    region = np.zeros(volume.data.shape, bool)
    region[z, y, x] = True
    return region


def _inside(coordinates: npt.NDArray[np.float64], volume: Volume) -> npt.NDArray[np.bool_]:
    places = np.rint(coordinates / volume.pixel_size_angst)
    return np.asarray(((places >= 0) & (places < volume.size)).all(axis=1))
