"""Particles as predictions take them: the geometry of their images, their poses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from verglas.em.state.particles import Assignments, OpticsGroup
    from verglas.maps.prediction import ImageGeometry, Poses

Ints = npt.NDArray[np.int64]


def image_geometry(group: OpticsGroup) -> ImageGeometry:
    """What predictions need of an optics group."""
    from verglas.maps.prediction import ImageGeometry

    return ImageGeometry(
        group.box_size,
        group.pixel_size_angst,
        group.voltage_kv,
        group.cs_mm,
        group.odd_zernike,
        group.beam_tilt_mrad,
        group.magnification,
        group.ctf_premultiplied,
    )


def angles_of(found: Assignments, rows: Ints) -> npt.NDArray[np.float64]:
    """(rot, tilt, psi) of particles, (n, 3) in degrees."""
    return np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)


def poses_of(found: Assignments, rows: Ints, pixel_size_angst: float, *, one_class: bool = False) -> Poses:
    """Poses of particles whose images have this pixel size; with `one_class` all show the first map."""
    import torch

    from verglas.maps.prediction import Poses

    classes = np.maximum(found.class_index[rows], 0)
    return Poses(
        torch.from_numpy(angles_of(found, rows)),
        torch.from_numpy(found.origin_yx_angst[rows] / pixel_size_angst),
        torch.from_numpy(np.zeros_like(classes) if one_class else classes),
    )
