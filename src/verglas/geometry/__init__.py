"""Rotations, point groups and grids on the sphere."""

from verglas.geometry.distance import angular_distance_deg, in_plane_distance_deg
from verglas.geometry.euler import euler_angles, euler_matrices, rot_tilt_of, view_vectors, wrap_deg
from verglas.geometry.healpix import (
    angular_step_deg,
    healpix_directions,
    n_directions,
    pixel_directions,
)
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
