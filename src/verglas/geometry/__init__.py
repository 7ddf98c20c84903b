"""Rotations, point groups and grids on the sphere.

Modules are imported when a name of theirs is first asked for: names of groups are looked up where torch is
never loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verglas.geometry.distance import angular_distance_deg, in_plane_distance_deg
    from verglas.geometry.euler import euler_angles, euler_matrices, rot_tilt_of, view_vectors, wrap_deg
    from verglas.geometry.healpix import angular_step_deg, healpix_directions, n_directions, pixel_directions
    from verglas.geometry.symmetry import PointGroup

__all__ = [
    "PointGroup",
    "angular_distance_deg",
    "angular_step_deg",
    "euler_angles",
    "euler_matrices",
    "healpix_directions",
    "in_plane_distance_deg",
    "n_directions",
    "pixel_directions",
    "rot_tilt_of",
    "view_vectors",
    "wrap_deg",
]
_MODULES = {
    "PointGroup": "symmetry",
    "angular_distance_deg": "distance",
    "in_plane_distance_deg": "distance",
    "angular_step_deg": "healpix",
    "healpix_directions": "healpix",
    "n_directions": "healpix",
    "pixel_directions": "healpix",
    "euler_angles": "euler",
    "euler_matrices": "euler",
    "rot_tilt_of": "euler",
    "view_vectors": "euler",
    "wrap_deg": "euler",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
