"""Euler angles in RELION's ZYZ convention and their rotation matrices (refinement.md §1.6)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.compute.arrays import float64_tensor

# Below this length of (A02, A12) rot and psi are degenerate: 16 spacings of float32 at 1, as RELION has it.
_POLE_TOLERANCE = 16 * torch.finfo(torch.float32).eps


def euler_matrices(angles_deg: object) -> Tensor:
    """Rotation matrices A of Euler angles.

    `angles_deg` (..., 3) holds rot, tilt, psi in degrees (tensor, array or nested sequence). Returns
    (..., 3, 3) float64 on the device of the input. Row 2 of A is the viewing direction; a point v = (x, y, z)
    of the map appears in the image at the first two components of A v.
    """
    angles = float64_tensor(angles_deg)
    if angles.shape[-1:] != (3,):
        raise ValueError(f"angles must end in an axis of 3 (rot, tilt, psi), got shape {tuple(angles.shape)}")
    radians = torch.deg2rad(angles)
    (ca, cb, cg), (sa, sb, sg) = radians.cos().unbind(-1), radians.sin().unbind(-1)
    entries = [
        cg * cb * ca - sg * sa,
        cg * cb * sa + sg * ca,
        -cg * sb,
        -sg * cb * ca - cg * sa,
        -sg * cb * sa + cg * ca,
        sg * sb,
        sb * ca,
        sb * sa,
        cb,
    ]
    return torch.stack(entries, dim=-1).reshape(*angles.shape[:-1], 3, 3)


def euler_angles(matrices: object) -> Tensor:
    """Euler angles (rot, tilt, psi) in degrees of rotation matrices (..., 3, 3); (..., 3) float64.

    The inverse of `euler_matrices` with tilt in [0, 180] and rot, psi in [-180, 180]. At the poles (tilt 0 or
    180), where only one in-plane angle is defined, rot is 0 and psi carries it.
    """
    a = float64_tensor(matrices)
    if a.shape[-2:] != (3, 3):
        raise ValueError(f"matrices must end in axes of 3 x 3, got shape {tuple(a.shape)}")
    sin_tilt = torch.hypot(a[..., 0, 2], a[..., 1, 2])
    regular = sin_tilt > _POLE_TOLERANCE
    tilt = torch.atan2(torch.where(regular, sin_tilt, 0.0), a[..., 2, 2])
    rot = torch.where(regular, torch.atan2(a[..., 2, 1], a[..., 2, 0]), 0.0)
    up = torch.where(a[..., 2, 2] >= 0, 1.0, -1.0)
    psi_at_pole = torch.atan2(-up * a[..., 1, 0], up * a[..., 0, 0])
    psi = torch.where(regular, torch.atan2(a[..., 1, 2], -a[..., 0, 2]), psi_at_pole)
    return torch.rad2deg(torch.stack([rot, tilt, psi], dim=-1))


def view_vectors(rot_tilt_deg: object) -> Tensor:
    """Unit viewing directions (x, y, z) (..., 3) float64 of (rot, tilt) (..., 2) in degrees."""
    angles = torch.deg2rad(float64_tensor(rot_tilt_deg))
    rot, tilt = angles[..., 0], angles[..., 1]
    return torch.stack([tilt.sin() * rot.cos(), tilt.sin() * rot.sin(), tilt.cos()], dim=-1)


def rot_tilt_of(vectors: object) -> Tensor:
    """(rot, tilt) (..., 2) in degrees of directions (..., 3) of any non-zero length; rot in [-180, 180]."""
    v = float64_tensor(vectors)
    rot = torch.atan2(v[..., 1], v[..., 0])
    tilt = torch.atan2(torch.hypot(v[..., 0], v[..., 1]), v[..., 2])
    return torch.rad2deg(torch.stack([rot, tilt], dim=-1))


def wrap_deg(angles_deg: Tensor) -> Tensor:
    """Angles wrapped into [-180, 180)."""
    return torch.remainder(angles_deg + 180.0, 360.0) - 180.0
